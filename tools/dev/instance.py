# SPDX-License-Identifier: Apache-2.0
"""One running Weir: where its state lies and which ports are its own.

An instance is a state folder (WEIR_HOME, default .weir in the repository) and a block of 100
ports (WEIR_PORT_BASE, default 18000). Two instances with different values never meet.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.ui import DevError, say

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORT_BASE = 18000
MAX_WORKERS = 30
MAX_CAMERAS = 20
# Of api, scheduler and reaper: one may die, the other is there.
MAX_TWINS = 2

PORTS = {
    "gateway": 0,
    "api": 1,
    "api-internal": 2,
    "kafka": 3,
    "kafka-controller": 4,
    "postgres": 5,
    "redis": 6,
    "tally-admin": 7,
    "gateway-origin": 8,
    "gateway-answer": 9,
    "api-admin": 10,
    "scheduler-admin": 11,
    "scheduler-2-admin": 12,
    "reaper-admin": 13,
    "audit-admin": 14,
    "api-2": 15,
    "api-2-internal": 16,
    "api-2-admin": 17,
    "reaper-2-admin": 18,
    "tally": 19,  # UDP
}

# A unix socket's path has room for 107 bytes; weir-worker takes a folder
# of 48 at most, and `/worker-29` is appended here.
MAX_RUN_DIR = 36


@dataclass(frozen=True)
class Instance:
    home: Path
    base: int

    def port(self, name: str) -> int:
        return self.base + PORTS[name]

    def camera_port(self, slot: int) -> int:
        return self.base + 20 + slot

    def origin_port(self, worker: int) -> int:
        return self.base + 40 + 2 * worker

    def worker_admin_port(self, worker: int) -> int:
        return self.base + 41 + 2 * worker

    def address(self, name: str) -> str:
        return f"127.0.0.1:{self.port(name)}"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def env(self) -> Path:
        return self.home / "env"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def pid(self) -> Path:
        return self.home / "pid"

    @property
    def run(self) -> Path:
        """The folder for sockets: `$WEIR_HOME/run`, or a short stand-in that it links to."""
        wanted = self.home / "run"
        return wanted if len(str(wanted)) <= MAX_RUN_DIR else Path(f"/tmp/weir-run-{self.tag}")

    @property
    def segments(self) -> Path:
        """Media segments live in memory where the machine has a place for that."""
        return self.in_memory("") or self.home / "segments"

    @property
    def memory(self) -> Path:
        """Likewise what the gateway writes anew every second."""
        return self.in_memory("-gateway") or self.home / "gateway" / "memory"

    def in_memory(self, suffix: str) -> Path | None:
        shm = Path("/dev/shm")
        is_there = os.path.ismount(shm) and os.access(shm, os.W_OK)
        return shm / f"weir-{self.tag}{suffix}" if is_there else None

    @property
    def tag(self) -> str:
        return hashlib.sha256(str(self.home).encode()).hexdigest()[:10]

    def log_of(self, name: str) -> Path:
        return self.log / f"{name}.log"

    def exists(self) -> bool:
        return (self.home / "instance.json").is_file()

    def create(self) -> None:
        """Makes the folders; safe to repeat. The home may be entered by Postgres' own user.

        A home that was deleted by hand took its keys along: what it had elsewhere is of no use to
        the next one at the same path (a database with passwords that nobody knows)."""
        if not self.exists():
            self.remove_outside()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o755)
        for folder in (self.secrets, self.env, self.pid):
            folder.mkdir(exist_ok=True, mode=0o700)
        self.log.mkdir(exist_ok=True, mode=0o755)
        make_private(self.run)
        link = self.home / "run"
        if link != self.run and not link.exists():
            link.symlink_to(self.run)
        make_private(self.segments)
        write_private(self.home / "instance.json", json.dumps({"port_base": self.base}) + "\n")

    def wipe(self) -> None:
        """Deletes the state of a stopped instance, and only what `create` and `up` made."""
        if not self.exists():
            return
        self.remove_outside()
        shutil.rmtree(self.home)

    def remove_outside(self) -> None:
        """What lies beside the home, under names made of its path."""
        for outside in (self.run, self.segments, self.memory, postgres_refuge(self)):
            if outside.is_dir() and not outside.is_symlink():
                shutil.rmtree(outside)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Only one command at a time changes an instance."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("  ... waiting for another ./dev on the same WEIR_HOME")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def current() -> Instance:
    """The instance that the environment names. A base that was chosen once is remembered."""
    home = Path(os.environ.get("WEIR_HOME") or ROOT / ".weir").absolute()
    remembered = None
    with contextlib.suppress(OSError, ValueError, KeyError):
        remembered = int(json.loads((home / "instance.json").read_text())["port_base"])
    asked = os.environ.get("WEIR_PORT_BASE")
    if asked is None:
        return Instance(home, remembered or DEFAULT_PORT_BASE)
    if not asked.isdigit() or not 1024 <= int(asked) <= 65435:
        raise DevError(f"WEIR_PORT_BASE is {asked!r}; it must be a number from 1024 to 65435")
    if remembered not in (None, int(asked)):
        raise DevError(
            f"{home} was made with WEIR_PORT_BASE={remembered}, now it says {asked}; "
            "use another WEIR_HOME, or `./dev down --wipe` first with the old value"
        )
    return Instance(home, int(asked))


def postgres_refuge(instance: Instance) -> Path:
    """Where Postgres' files lie when its user may not enter the instance's home."""
    return Path("/var/tmp") / f"weir-postgres-{instance.tag}"


def make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = folder.stat().st_uid
    if folder.is_symlink() or owner != os.getuid():
        raise DevError(f"{folder} belongs to uid {owner}; remove it or choose another WEIR_HOME")
    folder.chmod(0o700)


def write_private(path: Path, text: str) -> bool:
    """Writes a 0600 file in one step; says whether its content changed."""
    if path.is_file() and path.read_text() == text:
        return False
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    new.replace(path)
    return True


def can_enter(user: str, folder: Path) -> bool:
    """Whether `user` may walk into `folder` (asked of the kernel, as that user)."""
    entry = pwd.getpwnam(user)
    command = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return subprocess.run([*command, "test", "-x", str(folder)], check=False).returncode == 0
