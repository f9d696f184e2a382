# SPDX-License-Identifier: Apache-2.0
"""Starts what died, as systemd or Kubernetes do in production: `./dev up` runs it, `down` ends it.

A record (dev/keeper.py) tells how each process was started and whether it should run. What dies is
back after about a second; what dies at once again waits longer each time. A daemon that hangs is
missed by nobody, since another one serves; but there is one gateway here, where a fleet has several
behind a balancer that looks after them. So the gateway alone is also asked whether it answers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from dev import keeper
from dev.instance import Instance
from dev.ui import DevError, Step, say

NAME = "watcher"
LOOK_S = 0.2
DELAY_S = 0.8
MAX_DELAY_S = 15.0
# A process that lived this long had no trouble at its start.
SETTLED_S = 4.0
GATEWAY = "gateway"
ASK_EVERY_S = 1.0
ANSWER_S = 1.0
# So many questions in a row without an answer, and it hangs.
UNANSWERED_MAX = 4


@dataclass
class Patience:
    """How long a dead process waits. Pure: `now` is any clock in seconds that only goes forward."""

    delay_s: float = DELAY_S
    started_at: float = float("-inf")
    due_at: float | None = None

    def is_due(self, now: float) -> bool:
        """Called while the process is dead; true when it should be started again."""
        if self.due_at is None:
            lived_s = now - self.started_at
            self.delay_s = DELAY_S if lived_s >= SETTLED_S else min(self.delay_s * 2, MAX_DELAY_S)
            self.due_at = now + self.delay_s
        return now >= self.due_at

    def started(self, now: float) -> None:
        self.started_at, self.due_at = now, None


@dataclass
class Pulse:
    """Whether a server hangs. Pure, as Patience."""

    asked_at: float = float("-inf")
    unanswered: int = 0

    def is_due(self, now: float) -> bool:
        return now - self.asked_at >= ASK_EVERY_S

    def hangs(self, now: float, answered: bool) -> bool:
        """Called with what became of a question; true once there is no hope, then it starts anew."""
        self.asked_at = now
        self.unanswered = 0 if answered else self.unanswered + 1
        if self.unanswered < UNANSWERED_MAX:
            return False
        self.unanswered = 0
        return True


def answers(host: str, port: int) -> bool:
    """Whether the HTTP server there says anything at all; a refused connection is no hang."""
    try:
        with socket.create_connection((host, port), timeout=ANSWER_S) as asked:
            asked.sendall(b"GET / HTTP/1.0\r\n\r\n")
            asked.recv(1)
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@dataclass
class Watcher:
    instance: Instance
    patience: dict[str, Patience] = field(default_factory=dict)
    pulse: Pulse = field(default_factory=Pulse)

    def look_after_gateway(self, now: float) -> None:
        process = keeper.running(self.instance, GATEWAY)
        if process is None or not self.pulse.is_due(now):
            return
        if self.pulse.hangs(now, answers("127.0.0.1", self.instance.port(GATEWAY))):
            say(f"{stamp()} {GATEWAY} does not answer; killed")
            for pid in keeper.session_members(process.pid):
                keeper.signal_quietly(pid, signal.SIGKILL)

    def look(self, now: float) -> None:
        for name in keeper.names(self.instance):
            record = keeper.load(self.instance, name)
            if name == NAME or record is None or not record.wanted or record.process.alive():
                continue
            patience = self.patience.setdefault(name, Patience())
            if patience.is_due(now):
                patience.started(now)
                self.start(name)

    def start(self, name: str) -> None:
        try:
            process = keeper.start_again(self.instance, name, counted=True)
        except (DevError, OSError) as error:
            say(f"{stamp()} {name} does not start: {error}")
            return
        if process is not None:
            say(f"{stamp()} {name} had died; started again as pid {process.pid}")


def stamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def collect_children() -> None:
    """What this process started are its children; uncollected they would stay as zombies."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass


def start(instance: Instance) -> None:
    with Step("watcher") as step:
        if keeper.running(instance, NAME):
            return
        argv = ["/usr/bin/python3", "-m", "dev.watcher", str(instance.home), str(instance.base)]
        keeper.start(instance, NAME, argv)
        step.note = "starts again what dies, and a gateway that hangs"


def main() -> int:
    watcher = Watcher(Instance(Path(sys.argv[1]), int(sys.argv[2])))
    while watcher.instance.exists():
        collect_children()
        watcher.look(time.monotonic())
        watcher.look_after_gateway(time.monotonic())
        time.sleep(LOOK_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
