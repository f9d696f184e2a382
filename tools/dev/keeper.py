# SPDX-License-Identifier: Apache-2.0
"""Keeps the processes of an instance: starts, recognises and stops them.

Each process leads its own session and has a pid file with its start time, so that a recycled pid
is never taken for it. Nothing restarts a process here: what dies stays dead and shows in
`./dev status`, because a developer wants to see it (in production systemd or Kubernetes restart).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


def pid_file(instance: Instance, name: str) -> Path:
    return instance.pid / f"{name}.json"


def find(instance: Instance, name: str) -> Process | None:
    """The process as its pid file tells, alive or not; None when it was never started."""
    try:
        data = json.loads(pid_file(instance, name).read_text())
        return Process(int(data["pid"]), str(data["start"]), str(data["boot"]))
    except (OSError, ValueError, KeyError):
        return None


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
    cwd: Path | None = None,
) -> Process:
    """Starts `argv` in the background with its output appended to the instance's log `name`."""
    log = instance.log_of(name)
    if log.is_file() and log.stat().st_size > LOG_ROTATE_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if env is None else dict(env),
                cwd=cwd or instance.home,
                start_new_session=True,
            )
        except OSError as error:
            raise DevError(f"{argv[0]} does not start: {error.strerror}") from error
    stat = read_stat(child.pid)
    process = Process(child.pid, stat[2] if stat else "", boot_id())
    record = {"pid": process.pid, "start": process.start, "boot": process.boot}
    write_private(pid_file(instance, name), json.dumps(record) + "\n")
    # The child outlives this command on purpose; without this Python would warn about it.
    child.returncode = 0
    return process


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
    instance: Instance, name: str, *, how: signal.Signals = signal.SIGTERM, timeout_s: float = 10
) -> bool:
    """Stops a process and whatever it left in its session. True when it was running."""
    process = find(instance, name)
    was_running = process is not None and process.alive()
    if process is not None and was_running:
        signal_quietly(process.pid, how)
        deadline = time.monotonic() + timeout_s
        while process.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in session_members(process.pid):
            signal_quietly(pid, signal.SIGKILL)
        while process.alive():
            time.sleep(0.02)
    pid_file(instance, name).unlink(missing_ok=True)
    return was_running


def signal_quietly(pid: int, what: signal.Signals) -> None:
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        pass
