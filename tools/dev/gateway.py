# SPDX-License-Identifier: Apache-2.0
"""The gateway: Debian's nginx with the configuration of deploy/compose, in a prefix of its own."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from dev import keeper, keys
from dev.instance import ROOT, Instance, write_private
from dev.ports import held_by, require_free
from dev.ui import DevError, Step

SOURCE = ROOT / "deploy" / "compose"
TEMPLATE = SOURCE / "nginx.conf.in"


def start(instance: Instance) -> bool:
    with Step("gateway (nginx)") as step:
        port = instance.port("gateway")
        step.note = f"127.0.0.1:{port}"
        if keeper.running(instance, "gateway"):
            return False
        require_free(gateway=port, gateway_answer=instance.port("gateway-answer"))
        prefix = write_prefix(instance)
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        argv = [program, "-p", str(prefix), "-c", str(prefix / "nginx.conf"), "-e", "stderr"]
        keeper.start(instance, "gateway", argv)
        keeper.wait_ready(instance, "gateway", lambda: is_ready(instance), 15)
        return True


def is_ready(instance: Instance) -> bool:
    process = keeper.running(instance, "gateway")
    if process is None:
        return False
    return held_by(instance.port("gateway"), keeper.session_members(process.pid))


def write_prefix(instance: Instance) -> Path:
    prefix = instance.home / "gateway"
    logs = instance.log / "gateway"
    for folder in (prefix, prefix / "cache", logs):
        folder.mkdir(exist_ok=True, mode=0o755)
    if not (prefix / "logs").exists():
        (prefix / "logs").symlink_to(logs)
    secrets = prefix / "secrets.conf"
    lines = [
        f'map "" $weir_{name}_secret {{ default "{keys.read(instance, f"{name}-secret")}"; }}\n'
        for name in ("gateway", "origin")
    ]
    write_private(secrets, "".join(lines))
    values = {
        "PREFIX": str(prefix),
        "USER": "root" if os.getuid() == 0 else Path.home().owner(),
        "GATEWAY_LISTEN": instance.address("gateway"),
        "ANSWER_LISTEN": instance.address("gateway-answer"),
        "API_INTERNAL": instance.address("api-internal"),
        "SECRETS_INCLUDE": str(secrets),
        "CORS": 'default "*";',
        "CACHE_MAX": "512m",
        "RESOLVER": "",
    }
    for source in SOURCE.glob("*.conf*"):
        name = source.name.removesuffix(".in")
        text = source.read_text()
        write_private(prefix / name, fill(text, values, source) if name != source.name else text)
    return prefix


def fill(text: str, values: dict[str, str], source: Path) -> str:
    """Fills @NAME@ outside of comments' own mention of them; an unknown name is an error."""

    def value(found: re.Match[str]) -> str:
        if found.group(1) not in values:
            raise DevError(f"{source} wants @{found.group(1)}@, which nobody fills")
        return values[found.group(1)]

    lines = text.splitlines(keepends=True)
    return "".join(
        line if line.lstrip().startswith("#") else re.sub(r"@([A-Z_]+)@", value, line)
        for line in lines
    )
