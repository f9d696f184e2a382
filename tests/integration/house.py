# SPDX-License-Identifier: Apache-2.0
"""A private network of its own behind this machine, as a customer's house is: a network namespace
with one address in 10.77.0.0/16. What is started in it is reached from outside, and is not local."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from pathlib import Path

from tap_rig import CAMERA

# Listens on every port named, sends nothing, and writes a line for each that came.
LISTENER = """
import selectors, socket, sys
s = selectors.DefaultSelector()
kept = []
for port in sys.argv[1:]:
    l = socket.create_server(("0.0.0.0", int(port)), backlog=64)
    s.register(l, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in s.select():
        kept.append(key.fileobj.accept()[0])
        print(key.fileobj.getsockname()[1], flush=True)
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


class House:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.processes: list[subprocess.Popen[bytes]] = []
        while True:
            number = random.randrange(1, 16000)
            self.name, self.network = f"weir{number}", f"10.77.{number // 64}.{number % 64 * 4}/30"
            try:
                ip("netns", "add", self.name)
            except subprocess.CalledProcessError:
                continue
            break
        stem = self.network.split("/")[0].rsplit(".", 1)
        near, self.address = (f"{stem[0]}.{int(stem[1]) + n}" for n in (1, 2))
        outside, inside = f"wo{number}", f"wi{number}"
        ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        ip("link", "set", inside, "netns", self.name)
        ip("addr", "add", f"{near}/30", "dev", outside)
        ip("link", "set", outside, "up")
        ip("-n", self.name, "addr", "add", f"{self.address}/30", "dev", inside)
        ip("-n", self.name, "link", "set", inside, "up")
        ip("-n", self.name, "link", "set", "lo", "up")

    def run(self, *argv: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"log{len(self.processes)}").open("wb")
        with log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *argv], stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def await_port(self, port: int) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((self.address, port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.address}:{port} does not listen")

    def camera(self, port: int = 554) -> str:
        """Its URL."""
        control = self.folder / "fault"
        control.write_text("none")
        more = ["--listen", "0.0.0.0", "--port", str(port), "--control", str(control), "--gop", "1"]
        self.run(str(CAMERA), *more)
        self.await_port(port)
        return f"rtsp://{self.address}:{port}/cam"

    def listener(self, *ports: int) -> Path:
        """Where the ports that somebody came to are written."""
        log = self.folder / f"log{len(self.processes)}"
        self.run(sys.executable, "-c", LISTENER, *map(str, ports))
        deadline = time.monotonic() + 30
        while "ready" not in log.read_text():
            assert time.monotonic() < deadline, "the listener does not begin"
            time.sleep(0.05)
        return log

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        ip("netns", "del", self.name)  # its end of the pair goes with it, and so the other
