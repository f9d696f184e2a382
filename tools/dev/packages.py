# SPDX-License-Identifier: Apache-2.0
"""Debian packages: installs what the pins ask for and the machine lacks, and starts no service."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.pins import cache_lock, pins
from dev.shell import output_of, run_logged
from dev.ui import DevError, Step

POLICY = Path("/usr/sbin/policy-rc.d")
SERVICES = {
    "postgresql": "postgresql",
    "redis-server": "redis-server",
    "nginx-light": "nginx",
}


def missing(packages: Sequence[str]) -> list[str]:
    done = subprocess.run(
        ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (line.split() for line in done.stdout.splitlines())
    present = {fields[0] for fields in lines if fields[1:] == ["installed"]}
    commands = pins()["debian"]["commands"]
    return [
        name
        for name in packages
        if name not in present and not (name in commands and shutil.which(commands[name]))
    ]


def ensure(groups: Sequence[str], log: Path) -> None:
    """Installs the packages of the named groups of the pins file, where they are missing."""
    wanted = [name for group in groups for name in pins()["debian"][group]]
    with Step("Debian packages") as step:
        lacking = missing(wanted)
        step.note = f"{len(wanted)} there"
        if not lacking:
            return
        with cache_lock("apt"):
            require_debian()
            install(lacking, log)
        step.note = f"{len(lacking)} installed, {len(wanted) - len(lacking)} were there"


def require_debian() -> None:
    release = pins()["debian"]["release"]
    text = Path("/etc/os-release").read_text() if Path("/etc/os-release").is_file() else ""
    if f"VERSION_CODENAME={release}" not in text.replace('"', ""):
        raise DevError(f"packages are missing, and this is no Debian {release}: install them")


def as_root() -> list[str]:
    if os.getuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo"]
    raise DevError("packages are missing, and neither root nor sudo is here to install them")


def install(packages: Sequence[str], log: Path, *, release: str | None = None) -> None:
    apt = [*as_root(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    options = ["-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    if release is not None:
        options += ["-t", release]
    services = [SERVICES[name] for name in packages if name in SERVICES]
    with services_held():
        run_logged([*apt, "update"], log)
        run_logged([*apt, "install", *options, *packages], log)
    if services and Path("/run/systemd/system").is_dir():
        # Weir runs its own instances; Debian's would take the well-known ports at the next boot.
        run_logged([*as_root(), "systemctl", "disable", *services], log)


@contextlib.contextmanager
def services_held() -> Iterator[None]:
    """Keeps Debian's packages from starting their services while they are installed.

    Debian's own means: policy-rc.d. One that is already there is somebody's decision and stays.
    """
    if POLICY.exists():
        yield
        return
    output_of([*as_root(), "tee", str(POLICY)], feed=b"#!/bin/sh\nexit 101\n")
    output_of([*as_root(), "chmod", "755", str(POLICY)])
    try:
        yield
    finally:
        output_of([*as_root(), "rm", "-f", str(POLICY)])


def ensure_backports(log: Path) -> None:
    """Makes bookworm-backports known to apt, from the same mirror that bookworm comes from."""
    release = f"{pins()['debian']['release']}-backports"
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(path.read_text() for path in sources if path.is_file())
    if release in text:
        return
    found = re.search(r"^URIs:\s*(\S+)|^deb\s+(?:\[.*?\]\s+)?(\S+)", text, re.MULTILINE)
    if found is None:
        raise DevError(f"no Debian mirror is configured, so {release} cannot be added")
    line = f"deb {found.group(1) or found.group(2)} {release} main\n"
    place = "/etc/apt/sources.list.d/weir-backports.list"
    output_of([*as_root(), "tee", place], feed=line.encode())
