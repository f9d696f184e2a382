# SPDX-License-Identifier: Apache-2.0
"""The gateway: Debian's nginx with the configuration of deploy/compose, in a prefix of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from dev import daemons, keeper, keys
from dev.instance import ROOT, Instance, make_private, write_private
from dev.ports import held_by, require_free
from dev.ui import DevError, Step

SOURCE = ROOT / "deploy" / "compose"
TEMPLATE = SOURCE / "nginx.conf.in"


def start(instance: Instance, apis: int = 1) -> bool:
    """Starts nginx before `apis` apis; one that runs learns of another number of them."""
    with Step("gateway (nginx)") as step:
        port = instance.port("gateway")
        step.note = f"127.0.0.1:{port}"
        before = configuration(instance)
        prefix = write_prefix(instance, daemons.internal(instance, apis))
        process = keeper.running(instance, "gateway")
        if process is not None:
            if configuration(instance) != before:
                keeper.signal_quietly(process.pid, signal.SIGHUP)
            return False
        others = {name: instance.port(f"gateway-{name}") for name in ("answer", "origin")}
        require_free(gateway=port, **{f"gateway_{name}": at for name, at in others.items()})
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


def configuration(instance: Instance) -> str:
    """All that nginx reads: one that runs reads it again when anything of it changed."""
    paths = sorted((instance.home / "gateway").glob("*.conf"))
    return "\0".join(path.read_text() for path in paths)


def write_prefix(instance: Instance, apis: Sequence[str]) -> Path:
    prefix = instance.home / "gateway"
    logs = instance.log / "gateway"
    for folder in (prefix, prefix / "cache", logs):
        folder.mkdir(exist_ok=True, mode=0o755)
    make_private(instance.memory)
    if not (prefix / "logs").exists():
        (prefix / "logs").symlink_to(logs)
    secrets = prefix / "secrets.conf"
    lines = [
        f'map "" $weir_{name}_secret {{ default "{keys.read(instance, f"{name}-secret")}"; }}\n'
        for name in ("gateway", "origin", "tally")
    ]
    write_private(secrets, "".join([*lines, cdn_map(instance)]))
    local = keeper.read_settings(instance.home / "local" / "gateway.env")
    values = {
        "PREFIX": str(prefix),
        "MEMORY": str(instance.memory),
        "USER": "root" if os.getuid() == 0 else Path.home().owner(),
        "GATEWAY_LISTEN": instance.address("gateway"),
        "CDN_LISTEN": instance.address("gateway-origin"),
        "ANSWER_LISTEN": instance.address("gateway-answer"),
        "TALLY_LISTEN": instance.address("tally"),
        "API_SERVERS": " ".join(
            f"server {address} max_fails=1 fail_timeout=2s;" for address in apis
        ),
        "SECRETS_INCLUDE": str(secrets),
        "CORS": 'default "*";',
        "TICKET_RATE": local.get("WEIR_GATEWAY_TICKET_RATE", "100r/s"),
        "TICKET_BURST": local.get("WEIR_GATEWAY_TICKET_BURST", "500"),
        "CACHE_MAX": "512m",
        "RESOLVER": "",
    }
    for source in SOURCE.glob("*.conf*"):
        name = source.name.removesuffix(".in")
        text = source.read_text()
        write_private(prefix / name, fill(text, values, source) if name != source.name else text)
    return prefix


def cdn_map(instance: Instance) -> str:
    """Who may ask as the CDN: one secret a line of its file, two while it is changed."""
    known = keys.read(instance, "cdn-secret").split()
    if not 1 <= len(known) <= 2:
        raise DevError("secrets/cdn-secret must hold one secret, or two while it is being changed")
    lines = "".join(f'    "Bearer {secret}" 1;\n' for secret in known)
    return f'map $http_authorization $is_cdn {{\n    default "";\n{lines}}}\n'


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
