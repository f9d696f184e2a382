# SPDX-License-Identifier: Apache-2.0
"""Cameras that are read by multicast: a gate before a real one sends what that one sends to a group, by
loopback, and may name other groups, lose packets or have somebody else send there as well."""

from __future__ import annotations

import contextlib
import random
import re
import select
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tap_rig import Camera, Gate, Tap, wait_until

LOOPBACK = "127.0.0.1"
OTHER = "127.0.0.2"
# Loopback, and yet no camera's.
SERVICES = "127.66.0.0/16"
TRAP = "127.66.0.1"


def new_group() -> str:
    return f"239.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def sender(source: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((source, 0))
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
    return made


class GroupGate(Gate):
    """RTSP as the camera speaks it, but RTP goes to the group for whoever asks for that."""

    def __init__(self, camera: Camera, host: str = LOOPBACK, group: str = "", port: int = 0) -> None:
        self.to = camera.port
        self.group = group or new_group()
        self.first_port = port or random.randrange(10000, 30000, 2) * 2
        self.named = ""  # in place of the group
        self.lost = 0.0
        self.sender = sender(host)
        super().__init__(host)

    def serve(self, near: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            near,
            socket.create_connection((LOOPBACK, self.to), 10) as far,
        ):
            asked, told, tracks = b"", b"", 0
            while True:
                for ready in select.select([near, far], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is far:
                        told = self.tell(near, told + data, tracks > 0)
                        continue
                    asked += data
                    while b"\r\n\r\n" in asked:
                        request, asked = asked.split(b"\r\n\r\n", 1)
                        if re.search(rb"(?m)^Transport: .*multicast", request):
                            line = b"Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d" % (tracks, tracks + 1)
                            request = re.sub(rb"(?m)^Transport: [^\r]*", line, request)
                            tracks += 2
                        far.sendall(request + b"\r\n\r\n")

    def tell(self, near: socket.socket, told: bytes, is_group: bool) -> bytes:
        """Hands on what is whole; returns the rest."""
        while len(told) > 4:
            if told[:1] == b"$":
                channel, length = struct.unpack(">xBH", told[:4])
                if len(told) < 4 + length:
                    break
                if is_group:
                    self.send(channel, told[4 : 4 + length])
                else:
                    near.sendall(told[: 4 + length])
                told = told[4 + length :]
                continue
            head, found, rest = told.partition(b"\r\n\r\n")
            size = int((re.search(rb"(?mi)^Content-Length: (\d+)", head) or [0, 0])[1])
            if not found or len(rest) < size:
                break
            if is_group:
                head = re.sub(rb"(?m)^Transport: .*interleaved=(\d+)-[^\r]*", self.transport, head)
            near.sendall(head + found + rest[:size])
            told = rest[size:]
        return told

    def transport(self, found: re.Match[bytes]) -> bytes:
        port = self.first_port + int(found[1])
        named = self.named or f"destination={self.group};port={port}-{port + 1}"
        return f"Transport: RTP/AVP;multicast;{named};ttl=1".encode()

    def send(self, channel: int, packet: bytes) -> None:
        if random.random() >= self.lost:
            self.sender.sendto(packet, (self.group, self.first_port + channel))

    def close(self) -> None:
        super().close()
        self.sender.close()


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = ExitStack()
        self.tap = Tap(folder / "tap", WEIR_SERVICE_NETWORKS=SERVICES)
        self.parts.callback(self.tap.close)

    def gate(self, *options: str, **more: str | int) -> GroupGate:
        camera = Camera(self.folder / f"camera-{uuid.uuid4().hex[:6]}", *options)
        self.parts.callback(camera.kill)
        made = GroupGate(camera, **more)  # type: ignore[arg-type]
        self.parts.callback(made.close)
        return made

    def add(self, gate: Gate, **fields: object) -> str:
        return self.tap.camera(gate.url, **{"transport": "multicast", "audio": True, **fields})

    def is_so(self, camera_id: str, transport: str = "multicast") -> bool:
        row = self.tap.stats.get(camera_id, {})
        return row.get("transport") == transport and row.get("health") == "healthy"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    with made.parts:
        yield made


def listener(group: str, port: int) -> socket.socket:
    """Hears whatever anybody sends there."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((group, port))
    membership = socket.inet_aton(group) + socket.inet_aton(LOOPBACK)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    made.setblocking(False)
    return made


def heard(ear: socket.socket) -> set[tuple[str, int]]:
    """From where."""
    found = set()
    with contextlib.suppress(BlockingIOError):
        while True:
            found.add(ear.recvfrom(65536)[1])
    return found


def test_a_camera_is_read_from_its_group_and_nobody_else_is(rig: Rig) -> None:
    gate = rig.gate("--audio", "aac")
    camera_id = rig.add(gate)
    wait_until("a healthy picture", lambda: rig.is_so(camera_id), 60)
    wait_until("its reports", lambda: "clock_offset_us" in rig.tap.stats[camera_id], 60)
    # It sends nothing there, and takes nothing that others send, though the kernel has it at hand.
    with listener(gate.group, gate.first_port + 1) as ear, sender(OTHER) as stranger:
        for n in range(400):
            packet = struct.pack(">BBHII", 0x80, 96, 151 * n % 65536, n, n) + bytes(200)
            stranger.sendto(packet, (gate.group, gate.first_port))
            time.sleep(0.01)  # figures come once a second
        stranger.sendto(b"x", (gate.group, gate.first_port + 1))
        found: set[tuple[str, int]] = set()
        both = {gate.sender.getsockname(), stranger.getsockname()}
        wait_until("both are heard", lambda: found.update(heard(ear)) or found >= both, 60)
        assert found == both
    row = rig.tap.stats[camera_id]
    assert rig.is_so(camera_id) and row["gaps"] == 0 and row["reconnects"] == 0, row


def test_cameras_may_send_to_the_same_group_and_port(rig: Rig) -> None:
    """As they do when they are unpacked; each is told from the others by its address."""
    one = rig.gate("--size", "320x180")
    two = rig.gate("--size", "640x360", host=OTHER, group=one.group, port=one.first_port)
    ids = {rig.add(one): 320, rig.add(two): 640}
    for camera_id, width in ids.items():
        wait_until("a healthy picture", lambda camera_id=camera_id: rig.is_so(camera_id), 60)
        assert rig.tap.await_line("tap.source", camera_id=camera_id, state="up")["width"] == width
        assert rig.tap.stats[camera_id]["gaps"] == 0


def test_packets_that_are_lost_are_fetched_by_tcp(rig: Rig) -> None:
    gate = rig.gate("--bitrate", "2000", "--noise")
    camera_id = rig.add(gate)
    wait_until("a healthy picture", lambda: rig.is_so(camera_id), 60)
    gate.lost = 0.05
    wait_until("it is read by TCP", lambda: rig.is_so(camera_id, "tcp"), 90)
    rig.tap.await_line("tap.remedy", remedy="tcp", reason="loss")


NAMED = {
    "a service of this host": f"destination={TRAP};port=%d-%d",
    "another camera": f"destination={OTHER};port=%d-%d",
    "all hosts of the link": "destination=224.0.0.1;port=%d-%d",
    "a group of the network's own": "destination=224.0.1.1;port=%d-%d",
    "a service's port": "destination=239.1.2.3;port=123-124",
    "a group of the other family": "destination=ff1e::1;port=%d-%d",
}


@pytest.mark.parametrize("case", NAMED)
def test_what_is_no_camera_s_group_is_not_joined(rig: Rig, case: str) -> None:
    gate = rig.gate()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trap:
        trap.bind((TRAP, 0))
        trap.setblocking(False)
        port = trap.getsockname()[1]
        gate.named = NAMED[case] % (port, port + 1) if "%d" in NAMED[case] else NAMED[case]
        camera_id = rig.add(gate)
        line = rig.tap.await_line("tap.source", 60, camera_id=camera_id, state="failing")
        assert (line["reason"], line["permanent"]) == ("source_protocol_error", False), line
        assert "multicast group" in line["detail"], line
        assert not heard(trap)
