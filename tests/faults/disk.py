# SPDX-License-Identifier: Apache-2.0
"""A small disk of a daemon's own (a tmpfs, which needs root), to be filled and freed.

    disk = SmallDisk(place, mebibytes=24)     # before the daemon starts
    settings.add(home, "worker-0", {"WEIR_SEGMENT_DIR": str(disk.folder)})
    ... ./dev up ...
    with disk.full():
        ...
    disk.close()
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

BALLAST = ".ballast"
MIB = 1 << 20


class SmallDisk:
    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = f"size={mebibytes}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "weir-test", str(folder)], check=True)

    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Until not a byte more can be written; again when something was deleted since."""
        handle = os.open(self.folder / BALLAST, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            piece = MIB
            while piece:
                try:
                    os.write(handle, bytes(piece))
                except OSError:
                    piece //= 2
        finally:
            os.close(handle)

    def free(self) -> None:
        (self.folder / BALLAST).unlink(missing_ok=True)

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        try:
            self.fill()
            yield
        finally:
            self.free()

    def close(self) -> None:
        """Also when a process still has files there: it keeps them, the folder is free."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)
        with contextlib.suppress(OSError):
            self.folder.rmdir()
