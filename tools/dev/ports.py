# SPDX-License-Identifier: Apache-2.0
"""Who listens on a port: asked of the kernel, so a stranger's answer is not taken for ours."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from dev.ui import DevError

LISTEN = "0A"

# Of the loopback net a daemon listens on 127.0.0.1 only; on 127.77.3.1, say, the same port is free.
LOOPBACK, OWN = "7F", "0100007F"


def listeners() -> dict[int, str]:
    """Every TCP port that is listened on, with the socket's inode."""
    found: dict[int, str] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            address, port = fields[1].rsplit(":", 1)
            if fields[3] == LISTEN and (address.endswith(OWN) or not address.endswith(LOOPBACK)):
                found[int(port, 16)] = fields[9]
    return found


def owner_of(inode: str) -> str:
    """Names the process that holds a socket, as far as we may look."""
    wanted = f"socket:[{inode}]"
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            for handle in os.scandir(f"/proc/{entry}/fd"):
                if os.readlink(handle.path) == wanted:
                    command = Path(f"/proc/{entry}/comm").read_text().strip()
                    return f"{command} (pid {entry})"
        except OSError:
            continue
    return "a process of another user"


def require_free(**wanted: int) -> None:
    """Fails, naming port and process, when somebody listens where we are about to."""
    taken = listeners()
    for name, port in wanted.items():
        if port in taken:
            raise DevError(
                f"port {port} ({name.replace('_', '-')}) is taken by {owner_of(taken[port])}; "
                "end it, or set WEIR_PORT_BASE to another block of 100 ports"
            )


def held_by(port: int, pids: Collection[int]) -> bool:
    """Whether one of these processes listens on `port`."""
    inode = listeners().get(port)
    if inode is None:
        return False
    wanted = f"socket:[{inode}]"
    for pid in pids:
        try:
            if any(os.readlink(handle.path) == wanted for handle in os.scandir(f"/proc/{pid}/fd")):
                return True
        except OSError:
            continue
    return False
