# SPDX-License-Identifier: Apache-2.0
"""Keeps the processes of an instance: starts, recognises and stops them.

Each process leads its own session and has a record (pid/<name>.json) with its start time, so that a
recycled pid is never taken for it, and with what is needed to start it again. Whoever changes a
record holds that name's lock: the watcher (dev/watcher.py) starts what died, other commands start
and stop, and none may do so to the same process at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dev.instance import Instance, write_private
from dev.ui import DevError

LOG_ROTATE_BYTES = 32 << 20


@dataclass(frozen=True)
class Process:
    pid: int
    start: str
    boot: str

    def alive(self) -> bool:
        if self.boot != boot_id():
            return False
        stat = read_stat(self.pid)
        return stat is not None and stat[0] not in "ZX" and stat[2] == self.start

    def is_stranger(self) -> bool:
        """Whether the pid belongs to somebody else by now."""
        stat = read_stat(self.pid)
        return stat is not None and stat[2] != self.start

    def program_was_replaced(self) -> bool:
        """Whether the file it runs is no longer the one on disk."""
        try:
            return os.readlink(f"/proc/{self.pid}/exe").endswith(" (deleted)")
        except OSError:
            return False

    def rss_bytes(self) -> int:
        """Memory of the whole session: a daemon with its children."""
        pages = 0
        for pid in session_members(self.pid):
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
        return pages * os.sysconf("SC_PAGE_SIZE")


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read_stat(pid: int) -> tuple[str, str, str] | None:
    """(state, session, start time) of a process, or None where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], fields[3], fields[19]


def session_members(leader: int) -> list[int]:
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = read_stat(int(entry))
            if stat is not None and stat[1] == str(leader) and stat[0] not in "ZX":
                members.append(int(entry))
    return members


@dataclass(frozen=True)
class Record:
    """How a process was started, and whether it should run.

    `overrides` are files of `NAME=value` lines laid over `env` at each start, so that a change in
    them counts from the next restart on. `restarts` counts those of the watcher.
    """

    pid: int
    start: str
    boot: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    overrides: tuple[str, ...]
    cwd: str
    wanted: bool = True
    restarts: int = 0

    @property
    def process(self) -> Process:
        return Process(self.pid, self.start, self.boot)


def pid_file(instance: Instance, name: str) -> Path:
    return instance.pid / f"{name}.json"


def load(instance: Instance, name: str) -> Record | None:
    """What is known of a process, alive or not; None when it was never started."""
    try:
        data = json.loads(pid_file(instance, name).read_text())
        data["argv"], data["overrides"] = tuple(data["argv"]), tuple(data["overrides"])
        return Record(**data)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(instance: Instance, name: str, record: Record) -> None:
    write_private(pid_file(instance, name), json.dumps(asdict(record)) + "\n")


@contextlib.contextmanager
def locked(instance: Instance, name: str, *, wait: bool = True) -> Iterator[bool]:
    """Nobody else starts or stops `name` meanwhile. False: somebody does (never with `wait`)."""
    with (instance.pid / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def find(instance: Instance, name: str) -> Process | None:
    """The process as its record tells, alive or not; None when it was never started."""
    record = load(instance, name)
    return record.process if record is not None else None


def running(instance: Instance, name: str) -> Process | None:
    process = find(instance, name)
    return process if process is not None and process.alive() else None


def names(instance: Instance) -> list[str]:
    return sorted(path.stem for path in instance.pid.glob("*.json"))


def start(
    instance: Instance,
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    overrides: Sequence[Path] = (),
    cwd: Path | None = None,
) -> Process:
    """Starts `argv` in the background with its output appended to the instance's log `name`."""
    record = Record(
        pid=0,
        start="",
        boot="",
        argv=tuple(argv),
        env=dict(os.environ if env is None else env),
        overrides=tuple(str(path) for path in overrides),
        cwd=str(cwd or instance.home),
    )
    with locked(instance, name):
        return launch(instance, name, record)


def start_again(instance: Instance, name: str, *, counted: bool) -> Process | None:
    """Starts a process that is known and not running; None when there is nothing to do.

    `counted` is the watcher's way: only what should run, never while another command is at it.
    """
    with locked(instance, name, wait=not counted) as mine:
        record = load(instance, name)
        if not mine or record is None or record.process.alive():
            return None
        if counted and not record.wanted:
            return None
        end_session(record.process)
        again = replace(record, wanted=True, restarts=record.restarts + (1 if counted else 0))
        return launch(instance, name, again)


def launch(instance: Instance, name: str, record: Record) -> Process:
    log = instance.log_of(name)
    if log.is_file() and log.stat().st_size > LOG_ROTATE_BYTES:
        log.replace(log.with_suffix(".log.1"))
    settings = {**record.env}
    for path in record.overrides:
        settings.update(read_settings(Path(path)))
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                record.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=settings,
                cwd=record.cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise DevError(f"{record.argv[0]} does not start: {error.strerror}") from error
    stat = read_stat(child.pid)
    started = replace(record, pid=child.pid, start=stat[2] if stat else "", boot=boot_id())
    save(instance, name, started)
    # The child outlives this command on purpose; without this Python would warn about it.
    child.returncode = 0
    return started.process


def read_settings(path: Path) -> dict[str, str]:
    """`NAME=value` lines of a file that need not be there; `#` begins a comment."""
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def wait_ready(
    instance: Instance, name: str, ready: Callable[[], bool], timeout_s: float
) -> None:
    """Waits until `ready()`; a process that ended meanwhile is an error at once."""
    process = find(instance, name)
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process is None or not process.alive():
            raise DevError(f"{name} ended while it was starting", instance.log_of(name))
        if time.monotonic() > deadline:
            raise DevError(f"{name} is not ready after {timeout_s:.0f} s", instance.log_of(name))
        time.sleep(0.03)


def stop(
    instance: Instance,
    name: str,
    *,
    how: signal.Signals = signal.SIGTERM,
    timeout_s: float = 10,
    forget: bool = True,
) -> bool:
    """Stops a process and whatever it left in its session. True when it was running.

    Without `forget` its record stays, as something that is stopped on purpose.
    """
    with locked(instance, name):
        record = load(instance, name)
        was_running = record is not None and record.process.alive()
        if record is not None:
            if was_running:
                signal_quietly(record.pid, how)
                # A stopped process hears nothing but SIGKILL before it goes on.
                signal_quietly(record.pid, signal.SIGCONT)
                wait_for_end(record.process, timeout_s)
            end_session(record.process)
        if forget or record is None:
            pid_file(instance, name).unlink(missing_ok=True)
        else:
            save(instance, name, replace(record, wanted=False))
    return was_running


def wait_for_end(process: Process, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while process.alive() and time.monotonic() < deadline:
        time.sleep(0.02)


def end_session(process: Process) -> None:
    """Kills what a process left behind: its children stay in the session that it led."""
    if process.boot != boot_id():
        return
    deadline = time.monotonic() + 5
    # A pid is not given to another process while a session of that number has members.
    while not process.is_stranger() and time.monotonic() < deadline:
        left = session_members(process.pid)
        if not left:
            return
        for pid in left:
            signal_quietly(pid, signal.SIGKILL)
        time.sleep(0.02)


def signal_quietly(pid: int, what: signal.Signals) -> None:
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        pass
