# SPDX-License-Identifier: Apache-2.0
"""Makes the faults of a plan happen, each in a thread of its own, and mends what it broke.

What breaks things is in tests/faults; here is only who is meant by a target. Processes are looked up
when a fault begins: they have other pids by then.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos import collect
from chaos.history import History
from chaos.plan import CAMERAS, DAEMONS, WORKERS, Fault
from dev import build, cameras, keeper
from dev.instance import Instance
from faults import processes, settings
from faults.clock import Clock
from faults.disk import SmallDisk
from faults.links import Links

PROGRAMS = {"tap": "weir-tap", "origin": "weir-origin", "engine": "mediamtx"}
DISK_MIB = 64
END = {"postgres": signal.SIGINT}


class Breaker:
    """Prepared before the instance starts: links, clocks and disks work through settings."""

    def __init__(self, instance: Instance, history: History) -> None:
        self.instance = instance
        self.history = history
        self.home = instance.home
        self.links = Links(
            self.home, instance.base, DAEMONS, programs=build.other_build() or build.folder("release")
        )
        self.clocks = {name: Clock(self.home, name) for name in DAEMONS}
        self.disks = dict(self.small_disks())
        self.threads: list[threading.Thread] = []
        self.healed = threading.Event()
        self.is_closed = False

    def small_disks(self) -> list[tuple[str, SmallDisk]]:
        found = []
        for name in WORKERS:
            try:
                disk = SmallDisk(self.instance.segments / f"small-{name}", DISK_MIB)
            except (OSError, subprocess.CalledProcessError):
                self.history.add("note", text="no small disks: mounting one needs root")
                return []
            settings.add(self.home, name, {"WEIR_SEGMENT_DIR": str(disk.folder)})
            found.append((name, disk))
        return found

    def abilities(self) -> list[str]:
        return ["cut", "clock", *(["fill"] if self.disks else [])]

    # ---- running a plan ----

    def run(self, plan: Sequence[Fault], told: Callable[[Fault], None]) -> None:
        since = time.monotonic()
        for fault in plan:
            time.sleep(max(0.0, since + fault.at_s - time.monotonic()))
            told(fault)
            thread = threading.Thread(target=self.one, args=(fault,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def one(self, fault: Fault) -> None:
        self.history.add("fault", **fault.as_json())
        try:
            getattr(self, fault.kind)(fault)
        except (OSError, AssertionError, subprocess.SubprocessError, ValueError) as error:
            # Its target may be down by another fault: that is no failure of the run.
            self.history.add("note", fault=fault.n, text=f"{type(error).__name__}: {error}"[:300])
        if fault.for_s:
            self.history.add("healed", n=fault.n)

    def wait(self, fault: Fault) -> None:
        self.healed.wait(fault.for_s)

    def heal(self) -> None:
        """Ends every fault at once; what died, the watcher starts again."""
        self.healed.set()
        for thread in self.threads:
            thread.join(30)
        self.links.heal()
        for clock in self.clocks.values():
            clock.set(0)
        for disk in self.disks.values():
            disk.free()
        for name in CAMERAS:
            cameras.set_fault(self.instance, name, "none")

    def close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self.links.close()
        for disk in self.disks.values():
            disk.close()
        for clock in self.clocks.values():
            clock.close()

    # ---- what there is ----

    def pids(self, target: str) -> list[int]:
        """Processes of `worker-1`, `worker-1/tap`, `kafka` ...; none when it is down just now."""
        name, _, child = target.partition("/")
        if keeper.running(self.instance, name) is None:
            return []
        if child:
            return processes.children(self.home, name, PROGRAMS[child])
        return [processes.pid_of(self.home, name)]

    def kill(self, fault: Fault) -> None:
        processes.tell(self.pids(fault.target), signal.SIGKILL)

    def end(self, fault: Fault) -> None:
        processes.tell(self.pids(fault.target), END.get(fault.target, signal.SIGTERM))

    def pause(self, fault: Fault) -> None:
        """The gateway and Postgres are more than one process; all of them stand still."""
        pids = self.pids(fault.target)
        if fault.target in ("gateway", "postgres"):
            pids = [one for pid in pids for one in processes.family(pid)]
        with processes.paused(pids):
            self.wait(fault)

    def flush(self, _: Fault) -> None:
        collect.redis_call(self.instance, "FLUSHALL")

    def camera(self, fault: Fault) -> None:
        cameras.set_fault(self.instance, fault.target, fault.how)
        self.wait(fault)
        cameras.set_fault(self.instance, fault.target, "none")

    def cut(self, fault: Fault) -> None:
        name, _, service = fault.target.partition("/")
        wanted = () if service == "everything" else (service,)
        with self.links.cut(name, *wanted, mode=fault.how, ms=300):
            self.wait(fault)

    def clock(self, fault: Fault) -> None:
        clock = self.clocks[fault.target]
        clock.set(int(fault.how))
        self.wait(fault)
        clock.set(0)

    def fill(self, fault: Fault) -> None:
        disk = self.disks[fault.target]
        disk.fill()
        self.wait(fault)
        disk.free()


def remove_dead_mounts(folder: Path) -> None:
    """Small disks of a run that did not end well."""
    for place in folder.glob("small-*"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False)
