# SPDX-License-Identifier: Apache-2.0
"""The tools that break things (tests/faults) really break them, and mend them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import wait_for
from conftest import free_port_base
from dev import build
from faults import processes, settings
from faults.clock import Clock
from faults.disk import MIB, SmallDisk
from faults.links import SERVICES, Links

CLIENT = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5) as link:
    print(link.getpeername()[0], flush=True)
"""

CLOCKS = """
import sys, time
for _ in sys.stdin:
    print(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), flush=True)
"""


class Echo:
    """A service that answers with what it is told."""

    def __init__(self, port: int) -> None:
        self.server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        try:
            while heard := link.recv(65536):
                link.sendall(heard)
        except OSError:
            pass
        link.close()

    def close(self) -> None:
        self.server.close()


class Rig:
    """One daemon, "api", with its link to an echo in Kafka's place."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.links = Links(
            home, free_port_base(), ["api", "worker-1"], programs=build.binary("weirctl").parents[1]
        )
        self.port = self.links.base + SERVICES["kafka"]
        self.echo = Echo(self.port)

    def connect(self, seconds: float = 1) -> socket.socket:
        link = socket.create_connection((self.links.address("api"), self.port), timeout=seconds)
        link.settimeout(seconds)
        return link

    def close(self) -> None:
        self.echo.close()
        self.links.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("faults"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def healed(rig: Rig) -> Iterator[None]:
    yield
    rig.links.heal()


def says(link: socket.socket, text: bytes) -> bytes:
    """What comes back; b"" when nothing does for a while."""
    link.sendall(text)
    return heard(link)


def heard(link: socket.socket, seconds: float = 0.4) -> bytes:
    link.settimeout(seconds)
    try:
        return link.recv(65536)
    except TimeoutError:
        return b""


def test_a_whole_link_passes_everything_both_ways(rig: Rig) -> None:
    with rig.connect(10) as link:
        sent = os.urandom(3 * MIB)
        threading.Thread(target=link.sendall, args=(sent,), daemon=True).start()
        back = bytearray()
        while len(back) < len(sent):
            back += link.recv(1 << 16)
        assert bytes(back) == sent


def test_an_end_is_passed_on(rig: Rig) -> None:
    with rig.connect(5) as link:
        link.sendall(b"last words")
        link.shutdown(socket.SHUT_WR)
        assert link.recv(100) == b"last words"
        assert link.recv(100) == b""


def test_a_hole_swallows_and_gives_back_when_it_is_healed(rig: Rig) -> None:
    with rig.connect() as link:
        assert says(link, b"before") == b"before"
        with rig.links.cut("api", "kafka"):
            assert says(link, b"inside") == b""
        assert heard(link, 5) == b"inside"


def test_nobody_connects_through_a_hole(rig: Rig) -> None:
    with rig.links.cut("api", "kafka"):
        kept = []
        with pytest.raises(TimeoutError):
            for _ in range(4):
                kept.append(rig.connect(0.3))
        assert all(says(link, b"hello") == b"" for link in kept)
    for link in kept:
        assert heard(link, 5) == b"hello"
        link.close()
    with rig.connect(10) as link:
        assert says(link, b"after") == b"after"


def test_a_reset_ends_what_there_is_and_what_comes(rig: Rig) -> None:
    with rig.connect() as link:
        assert says(link, b"before") == b"before"
        with rig.links.cut("api", "kafka", mode="reset"):
            with pytest.raises(ConnectionResetError):
                heard(link, 5)
            with pytest.raises(ConnectionResetError), rig.connect() as late:
                heard(late, 5)
    with rig.connect() as link:
        assert says(link, b"after") == b"after"


def test_an_orphan_stays_connected_to_nothing_for_ever(rig: Rig) -> None:
    with rig.connect() as link:
        assert says(link, b"before") == b"before"
        assert rig.links.order("orphan", "api", "kafka") == 1
        assert says(link, b"lost") == b""
        rig.links.heal("api", "kafka")
        assert says(link, b"lost too") == b""
        with rig.connect() as new:
            assert says(new, b"new") == b"new"


@pytest.mark.parametrize(("mode", "arrives"), [("deaf", True), ("mute", False)])
def test_one_direction_can_be_cut_alone(rig: Rig, mode: str, arrives: bool) -> None:
    with socket.create_server(("127.0.0.1", rig.links.base + SERVICES["redis"])) as service:
        address = (rig.links.address("api"), rig.links.base + SERVICES["redis"])
        with socket.create_connection(address) as link:
            far, _ = service.accept()
            with rig.links.cut("api", "redis", mode=mode):
                link.sendall(b"question")
                far.sendall(b"answer")
                assert (heard(far) == b"question") is arrives
                assert (heard(link) == b"answer") is not arrives
            assert arrives or heard(far, 5) == b"question"
            assert not arrives or heard(link, 5) == b"answer"
            far.close()


def test_a_delay_is_at_least_as_long_as_asked(rig: Rig) -> None:
    with rig.connect() as link:
        with rig.links.cut("api", "kafka", mode="delay", ms=150):
            since = time.monotonic()
            link.sendall(b"slow")
            assert heard(link, 10) == b"slow"
            assert time.monotonic() - since >= 0.3
            link.sendall(b"on its way")
        assert heard(link, 10) == b"on its way"


def test_the_links_of_others_stay_whole(rig: Rig) -> None:
    other = (rig.links.address("worker-1"), rig.port)
    with rig.links.cut("api"), socket.create_connection(other, timeout=5) as link:
        assert says(link, b"neighbour") == b"neighbour"


def test_a_daemon_uses_its_links_without_knowing_them(rig: Rig) -> None:
    """As `./dev` starts it: with the settings that the tool wrote. Other ports are not touched."""
    written = settings.read(rig.home / "local" / "api.env")
    environment = {**os.environ, **written}

    def peer(port: int) -> str:
        argv = [sys.executable, "-c", CLIENT, str(port)]
        return subprocess.run(
            argv, env=environment, capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    assert peer(rig.port) == rig.links.address("api")
    with socket.create_server(("127.0.0.1", rig.links.base + 77)):
        assert peer(rig.links.base + 77) == "127.0.0.1"
    assert "WEIR_ORIGIN_URL" in settings.read(rig.home / "local" / "worker-1.env")


def test_a_proxy_ends_with_the_program_that_wanted_it(tmp_path: Path) -> None:
    links = Links(tmp_path, free_port_base(), ["api"], programs=build.binary("weirctl").parents[1])
    assert links.process.stdin is not None
    links.process.stdin.close()
    assert links.process.wait(10) == 0
    assert not links.control.exists()


def test_only_the_wall_clock_of_one_process_jumps(tmp_path: Path) -> None:
    clock = Clock(tmp_path, "api")
    environment = {**os.environ, **settings.read(tmp_path / "local" / "api.env")}
    argv = [sys.executable, "-c", CLOCKS]
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def off() -> list[float]:
            process.stdin.write("\n")
            process.stdin.flush()
            told = [float(text) for text in process.stdout.readline().split()]
            ours = (time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
            return [round(theirs - own) for theirs, own in zip(told, ours, strict=True)]

        assert off() == [0, 0, 0]
        for jump in (3600, -3600):
            with clock.off_by(jump):
                assert off() == [jump, 0, 0]
        assert off() == [0, 0, 0]
        process.kill()
    clock.close()
    assert not list(Path("/dev/shm").glob(f"*faketime_*_{process.pid}"))


@pytest.mark.skipif(os.getuid() != 0, reason="a tmpfs of one's own needs root")
def test_a_small_disk_is_full_to_the_last_byte_and_free_again(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk", 2)
    try:
        with disk.full():
            with pytest.raises(OSError, match="No space"):
                (disk.folder / "more").write_bytes(b"x" * 5000)
            assert disk.free_bytes() == 0
        assert disk.free_bytes() > MIB
        (disk.folder / "more").write_bytes(b"x" * 5000)
    finally:
        disk.close()
    assert not disk.folder.exists()


def test_a_paused_process_does_nothing_and_goes_on(tmp_path: Path) -> None:
    argv = ["sh", "-c", "sleep 60 & while :; do date +%N >beat; sleep 0.05; done"]
    with subprocess.Popen(argv, cwd=tmp_path) as process:
        try:
            beat = tmp_path / "beat"
            wait_for("its first word", beat.exists, 10)
            with processes.paused(processes.family(process.pid)):
                before = beat.read_text()
                time.sleep(0.3)
                assert beat.read_text() == before
            wait_for("its next word", lambda: beat.read_text() not in ("", before), 10)
        finally:
            processes.kill(processes.family(process.pid))
