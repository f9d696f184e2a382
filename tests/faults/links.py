# SPDX-License-Identifier: Apache-2.0
"""Links between daemons and services that can be cut (link_proxy.c, link_shim.c).

    links = Links(home, port_base, ["worker-0", "worker-1", "scheduler"], programs=build)
    ... ./dev up ...
    with links.cut("worker-0", "kafka"):          # as if the cable were out; healed at the end
        ...
    links.order("delay", "worker-1", "redis", ms=200)
    links.heal()
    links.close()

A link is (daemon, service). Everything to a worker's origin comes through a link of that worker
too ("origin"), so a worker can be cut off from everybody. What stays connected then is its tap's way
to the cameras, unless a camera is registered by `camera_url`, which is a link of its own.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from faults import settings

MODES = ("pass", "hole", "reset", "orphan", "deaf", "mute", "delay")

# Offsets in an instance's block of ports (tools/dev/instance.py).
SERVICES = {"api-internal": 2, "kafka": 3, "postgres": 5, "redis": 6, "api-2-internal": 16}
FIRST_ORIGIN = 40
CAMERAS = range(20, 40)
CAMERA_NET = 250


class Links:
    """Proxies all links of the named daemons. Make it before they start."""

    def __init__(
        self, home: Path, port_base: int, names: Sequence[str], *, programs: Path
    ) -> None:
        self.home = home
        self.base = port_base
        self.names = list(names)
        self.control = Path(f"/tmp/weir-links-{port_base}.sock")
        folder = programs / "tests" / "faults"
        self.shim = folder / "weir-linkshim.so"
        self.process = self._start(folder / "weir-linkproxy")
        for name in self.names:
            settings.add(home, name, self.overrides(name))

    # ---- where things are ----

    def address(self, name: str) -> str:
        """The daemon's own loopback address, on which its links are."""
        return f"127.77.{self.names.index(name) + 1}.1"

    def ports(self, name: str) -> dict[str, int]:
        found = {service: self.base + offset for service, offset in SERVICES.items()}
        if name.startswith("worker-"):
            found["origin"] = self.base + FIRST_ORIGIN + 2 * int(name.removeprefix("worker-"))
        return found

    def camera_url(self, url: str) -> str:
        """The same camera by way of a link ("cameras", PORT)."""
        return url.replace("//127.0.0.1:", f"//127.77.{CAMERA_NET}.1:")

    def overrides(self, name: str) -> Mapping[str, str]:
        """Settings of the daemon that make it use its links."""
        address, ports = self.address(name), self.ports(name)
        inward = ports.pop("origin", None)
        values = {
            "LD_PRELOAD": str(self.shim),
            "WEIR_FAULT_ADDRESS": address,
            "WEIR_FAULT_PORTS": ",".join(str(port) for port in ports.values()),
        }
        return values if inward is None else {**values, "WEIR_ORIGIN_URL": f"http://{address}:{inward}"}

    # ---- orders ----

    def order(self, mode: str, name: str = "*", service: str | int = "*", *, ms: int = 0) -> int:
        """Sets the mode of these links; returns how many connections were affected. Services are
        those of SERVICES, "origin", or for the name "cameras" a camera's port."""
        if name == "cameras":
            address, port = f"127.77.{CAMERA_NET}.1", str(service)
        elif name == "*":
            address, port = "*", "*" if service == "*" else str(self.base + SERVICES[str(service)])
        else:
            address = self.address(name)
            port = "*" if service == "*" else str(self.ports(name)[str(service)])
        answer = self._ask(f"{mode} {address} {port} {ms}").split()
        assert answer[0] == "ok" and int(answer[1]) > 0, f"{mode} {name} {service}: {answer}"
        return int(answer[2])

    def heal(self, name: str = "*", service: str | int = "*") -> None:
        self.order("pass", name, service)

    @contextmanager
    def cut(
        self, name: str, *services: str | int, mode: str = "hole", ms: int = 0
    ) -> Iterator[None]:
        """In this mode inside of the block; without services all links of the daemon."""
        wanted = services or ("*",)
        try:
            for service in wanted:
                self.order(mode, name, service, ms=ms)
            yield
        finally:
            for service in wanted:
                self.heal(name, service)

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(10)

    # ---- inside ----

    def _start(self, program: Path) -> subprocess.Popen[bytes]:
        wanted = [
            f"{self.address(name)}:{port}" for name in self.names for port in self.ports(name).values()
        ]
        wanted += [f"127.77.{CAMERA_NET}.1:{self.base + offset}" for offset in CAMERAS]
        self.control.unlink(missing_ok=True)
        process = subprocess.Popen(
            [str(program), str(self.control), *wanted], stdin=subprocess.PIPE
        )
        deadline = time.monotonic() + 10
        while not self.control.is_socket():
            assert process.poll() is None, f"{program} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{program} opens no {self.control}"
            time.sleep(0.02)
        return process

    def _ask(self, order: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.settimeout(10)
            link.connect(str(self.control))
            link.send(order.encode())
            return link.recv(256).decode()
