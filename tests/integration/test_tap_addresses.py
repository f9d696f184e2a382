# SPDX-License-Identifier: Apache-2.0
"""Where weir-tap connects to, and where it never does: attacker-chosen URLs, names that change what
they resolve to, cameras that lead elsewhere, and what is told of all that."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from dns import NameServer
from tap_rig import Camera, Tap, free_port, wait_until

QUICK = {"WEIR_TAP_OPEN_MS": "1000"}
# Loopback, and yet denied: so that a trap there would really be reached.
SERVICES = "127.66.0.0/16"
TRAP_HOST = "127.66.0.1"


class Trap:
    """A listener that nobody may come to; all who come stay in its backlog."""

    def __init__(self, host: str = TRAP_HOST, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, port))
        self.socket.listen(64)
        self.port = int(self.socket.getsockname()[1])

    def was_sprung(self) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def names(parts: contextlib.ExitStack, tmp_path: Path) -> NameServer:
    return parts.enter_context(NameServer(tmp_path))


def make_tap(parts: contextlib.ExitStack, folder: Path, *before: str, **more: str) -> Tap:
    tap = Tap(folder / f"tap-{uuid.uuid4().hex[:6]}", *before, **{**QUICK, **more})
    parts.callback(tap.close)
    return tap


def make_camera(parts: contextlib.ExitStack, folder: Path, *options: str) -> Camera:
    camera = Camera(folder / f"camera-{uuid.uuid4().hex[:6]}", *options)
    parts.callback(camera.kill)
    return camera


def make_trap(parts: contextlib.ExitStack, host: str = TRAP_HOST, port: int = 0) -> Trap:
    trap = Trap(host, port)
    parts.callback(trap.close)
    return trap


def told(tap: Tap, camera_id: str, since: int = 0) -> tuple[str, bool, str]:
    line = tap.await_line("tap.source", 60, since, camera_id=camera_id, state="failing")
    return line["reason"], line["permanent"], line["detail"]


def took(tap: Tap, camera_id: str) -> float:
    """Seconds of the first attempt, until it was told as failing."""
    times: dict[str, float] = {}
    for at, line in zip(tap.times, tap.lines, strict=False):
        if line["camera_id"] == camera_id:
            times.setdefault(line["state"], at)
    return times["failing"] - times["connecting"]


DENIED = [
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "0.1.2.3", "[::]", "[::1]",
    "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::FFFF:7F00:1]", "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[::ffff:0:127.0.0.1]", "169.254.169.254", "169.254.170.2", "169.254.1.1",
    "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fe80::1]",
    "[fd00:ec2::254]", "[fd00:0ec2::254]", "100.100.100.200", "168.63.129.16", "224.0.0.1",
    "239.255.255.250", "255.255.255.255", "[ff02::1]", "[::ffff:224.0.0.1]", "240.0.0.1",
    "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "192.0.0.1",
    "[2001:db8::1]", "[2001::1]", "[2001:0:7f00:1::]", "[2002:a00:1::1]", "[fec0::1]", "[100::1]",
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "[fd12::1]", "[::ffff:10.0.0.1]",
    "[64:ff9b::10.0.0.1]",
]  # fmt: skip
INVALID = [
    "2130706433", "017700000001", "0x7f000001", "0X7F.1", "127.1", "127.0.1", "0177.0.0.1",
    "127.0.0.01", "0x7f.0.0.0x1", "127.0.0.1.", "0", "0x", "256.1.1.1", "1.2.3.4.5", "2852039166",
    "0xa9fea9fe", "0251.0376.0251.0376", "[fe80::1%lo]", "[::1%251]", "[::1%lo]", "[127.0.0.1]",
    "::1", "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "localhost%00.example.com", "\uff11.0.0.1",
    "127\u30020.0.1", "user@127.0.0.1", "a:b@127.0.0.1", "@127.0.0.1", "..", ".127.0.0.1",
]  # fmt: skip
NAMES = ["localhost", "LOCALHOST", "localhost.", "ip6-localhost", "no-such-name.invalid"]


def test_what_is_no_camera_is_never_connected_to(
    parts: contextlib.ExitStack, tmp_path: Path
) -> None:
    trap = make_trap(parts, "::")  # IPv4 too
    tap = make_tap(parts, tmp_path, WEIR_CAMERA_TRIALS_MAX="2000")
    assert len(DENIED) + len(INVALID) + len(NAMES) >= 80
    wanted = {host: ("source_denied", True) for host in DENIED}
    wanted |= {host: ("source_invalid", True) for host in INVALID}
    wanted |= {host: ("source_name_unknown", False) for host in NAMES}
    asked = {
        host: tap.camera(f"rtsp://{host}:{trap.port}/x", allow_local=False) for host in wanted
    }
    found = {host: told(tap, camera_id)[:2] for host, camera_id in asked.items()}
    assert found == wanted
    assert not trap.was_sprung()
    allowed = tap.camera(f"rtsp://127.0.0.1:{trap.port}/x")
    tap.await_line("tap.source", camera_id=allowed, state="failing")
    assert trap.was_sprung(), "and a trap would have been reached"


def test_a_name_is_as_good_as_its_worst_address(
    parts: contextlib.ExitStack, names: NameServer, tmp_path: Path
) -> None:
    camera = make_camera(parts, tmp_path)
    trap = make_trap(parts, port=camera.port)
    tap = make_tap(parts, tmp_path, *names.command, WEIR_SERVICE_NETWORKS=SERVICES)
    names["good.test"] = ["127.0.0.1", "127.0.0.1"]
    bad = {
        "two.test": ["127.0.0.1", TRAP_HOST],
        "last.test": ["127.0.0.1", "127.0.0.1", "127.0.0.1", "169.254.169.254"],
        "six.test": ["127.0.0.1", "fd00:ec2::254"],
        "mapped.test": ["127.0.0.1", f"::ffff:{TRAP_HOST}"],
        "only.test": [TRAP_HOST],
        "house.test": ["192.168.1.1"],
        "group.test": ["127.0.0.1", "ff02::1"],
        "zero.test": ["0.0.0.0"],
        "empty.test": [],
    }
    for name, addresses in bad.items():
        names[name] = addresses
    good = tap.camera(f"rtsp://good.test:{camera.port}/cam")
    tap.await_line("tap.source", camera_id=good, state="up")
    cameras = {
        name: tap.camera(f"rtsp://{name}:{camera.port}/cam") for name in [*bad, "unknown.test"]
    }
    answers = {name: told(tap, camera_id) for name, camera_id in cameras.items()}
    # Nobody learns what a name resolves to, nor whether there is such a name.
    assert len(set(answers.values())) == 1, answers
    assert answers["two.test"][:2] == ("source_name_unknown", False)
    for name, camera_id in cameras.items():
        assert took(tap, camera_id) >= 1, f"{name} is not told sooner"
    assert not trap.was_sprung()


@pytest.mark.parametrize("services", [SERVICES, ""], ids=["denied", "control"])
def test_a_name_that_is_bound_anew_is_judged_at_each_reconnect(
    parts: contextlib.ExitStack, names: NameServer, tmp_path: Path, services: str
) -> None:
    camera = make_camera(parts, tmp_path)
    trap = make_trap(parts, port=camera.port)
    tap = make_tap(parts, tmp_path, *names.command, WEIR_SERVICE_NETWORKS=services)
    names["cam.test"] = ["127.0.0.1"]
    camera_id = tap.camera(f"rtsp://cam.test:{camera.port}/cam")
    tap.await_line("tap.source", state="up")
    since = len(tap.lines)
    names["cam.test"] = [TRAP_HOST]
    camera.kill()
    tap.await_line("tap.source", since=since, state="failing", reason="source_closed")
    if not services:
        wait_until("the trap is reached where nothing denies it", trap.was_sprung, 30)
        return
    tap.await_line("tap.source", 60, since, state="failing", reason="source_name_unknown")
    asked = names.count("cam.test")
    since = len(tap.lines)
    tap.await_line("tap.source", 60, since, state="failing", reason="source_name_unknown")
    assert names.count("cam.test") > asked, "it is asked for each time"
    names["cam.test"] = ["127.0.0.1"]
    camera.start()
    tap.await_line("tap.source", 60, since, camera_id=camera_id, state="up")
    assert not trap.was_sprung()


def test_a_name_that_changes_with_every_query_is_asked_for_once(
    parts: contextlib.ExitStack, names: NameServer, tmp_path: Path
) -> None:
    """With audio that is not passed on, a camera is connected to twice: at the same address."""
    camera = make_camera(parts, tmp_path, "--audio", "l16")
    trap = make_trap(parts, port=camera.port)
    tap = make_tap(parts, tmp_path, *names.command, WEIR_TAP_OPEN_MS="10000")
    names["cam.test"] = lambda before: ["127.0.0.1"] if before == 0 else [TRAP_HOST]
    tap.camera(f"rtsp://cam.test:{camera.port}/cam", audio=True)
    up = tap.await_line("tap.source", state="up")
    assert up["audio_dropped"] == "pcm_s16be"
    assert names.count("cam.test") == 1
    assert not trap.was_sprung()


SDP = """v=0
o=- 0 0 IN IP4 {elsewhere}
s=x
c=IN IP4 {elsewhere}
t=0 0
a=control:rtsp://{elsewhere}:{port}/all
m=video {port} RTP/AVP 96
c=IN IP4 {elsewhere}
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=control:rtsp://{elsewhere}:{port}/track
"""


class Misleader:
    """A camera that names another host wherever RTSP lets it."""

    def __init__(self, elsewhere: str, port: int, redirect: str = "") -> None:
        self.elsewhere, self.port, self.redirect = elsewhere, port, redirect
        self.methods: list[str] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self.server.getsockname()[1]}/cam"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self.talk(connection)

    def talk(self, connection: socket.socket) -> None:
        data = b""
        while chunk := connection.recv(4096):
            data += chunk
            while b"\r\n\r\n" in data:
                head, data = data.split(b"\r\n\r\n", 1)
                connection.sendall(self.answer(head.decode()).encode())

    def answer(self, head: str) -> str:
        lines = head.split("\r\n")
        method = lines[0].split()[0]
        headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines[1:])}
        self.methods.append(method)
        away = f"rtsp://{self.elsewhere}:{self.port}/"
        status, more, body = "200 OK", "", ""
        if method == self.redirect:
            status, more = "302 Moved", f"Location: {away}\r\n"
        elif method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = SDP.format(elsewhere=self.elsewhere, port=self.port).replace("\n", "\r\n")
            more = f"Content-Base: {away}\r\nContent-Location: {away}\r\n"
            more += "Content-Type: application/sdp\r\n"
        elif method == "SETUP":
            transport = headers["transport"].split(",")[0]
            if "TCP" not in transport:
                transport += f";source={self.elsewhere};destination={self.elsewhere}"
                transport += f";server_port={self.port}-{self.port + 1}"
            more = f"Transport: {transport}\r\nSession: 1\r\n"
        elif method == "PLAY":
            more = f"Session: 1\r\nRTP-Info: url={away}track;seq=1;rtptime=0\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\n{more}{length}\r\n{body}"


@pytest.mark.parametrize("elsewhere", [TRAP_HOST, "elsewhere.test"])
@pytest.mark.parametrize("redirect", ["", "OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_names_another_host_leads_nowhere(
    parts: contextlib.ExitStack,
    names: NameServer,
    tmp_path: Path,
    elsewhere: str,
    redirect: str,
    transport: str,
) -> None:
    names["elsewhere.test"] = [TRAP_HOST]
    trap = make_trap(parts)
    udp = parts.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.bind((TRAP_HOST, trap.port))
    camera = Misleader(elsewhere, trap.port, redirect)
    parts.callback(camera.server.close)
    tap = make_tap(parts, tmp_path, *names.command)
    camera_id = tap.camera(camera.url, transport=transport)
    reason, _, _ = told(tap, camera_id)
    assert camera.methods[:2] == ["OPTIONS", "DESCRIBE"][: 1 if redirect == "OPTIONS" else 2]
    if redirect in ("OPTIONS", "DESCRIBE", "SETUP"):
        assert reason in ("source_redirected", "source_protocol_error"), reason
    assert not trap.was_sprung()
    udp.setblocking(False)
    with pytest.raises(BlockingIOError):
        udp.recv(1)
    assert names.count("elsewhere.test") == 0, "nobody is even asked where that is"


@contextlib.contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """A port that takes connections and sends this; None: ends them at once."""
    server = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                if answer is None:
                    connection.close()
                    continue
                connection.sendall(answer)
                kept.append(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(server.getsockname()[1])
    finally:
        server.close()
        for connection in kept:
            connection.close()


@contextlib.contextmanager
def filtered() -> Iterator[int]:
    """A port whose SYNs are not answered: its backlog is full."""
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        time.sleep(0.2)
        yield int(server.getsockname()[1])


def test_closed_open_and_filtered_ports_are_told_alike(
    parts: contextlib.ExitStack, tmp_path: Path
) -> None:
    ports = {
        "closed": free_port(),
        "filtered": parts.enter_context(filtered()),
        "silent": parts.enter_context(answering(b"")),
        "ends": parts.enter_context(answering(None)),
        "http": parts.enter_context(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        "ssh": parts.enter_context(answering(b"SSH-2.0-x\r\n")),
        "noise": parts.enter_context(answering(b"\x00\xff" * 500)),
    }
    tap = make_tap(parts, tmp_path)
    cameras = {
        f"{scheme} {what}": tap.camera(f"{scheme}://127.0.0.1:{port}/x", tls_pin_sha256="0" * 64)
        for what, port in ports.items()
        for scheme in ("rtsp", "rtsps")
    }
    answers = {what: told(tap, camera_id) for what, camera_id in cameras.items()}
    assert set(answers.values()) == {
        ("source_unreachable", False, "no camera answers there by RTSP")
    }, answers
    for what, camera_id in cameras.items():
        assert took(tap, camera_id) >= 1, f"{what} is not told sooner"
    # Who runs Weir reads what it was.
    log = tap.logged()
    assert "source_refused: nothing listens on that port" in log
    assert "source_timeout: connected, but nothing was answered" in log


def test_a_camera_that_spoke_before_is_told_exactly(
    parts: contextlib.ExitStack, tmp_path: Path
) -> None:
    camera, tap = make_camera(parts, tmp_path), make_tap(parts, tmp_path)
    first = tap.camera(camera.url)
    tap.await_line("tap.source", camera_id=first, state="up")
    since = len(tap.lines)
    camera.kill()
    tap.await_line("tap.source", since=since, camera_id=first, state="failing", reason="source_closed")
    tap.await_line("tap.source", since=since, camera_id=first, state="failing", reason="source_refused")
    stranger = tap.camera(camera.url, tenant_id=str(uuid.uuid4()))
    assert told(tap, stranger)[0] == "source_unreachable"


def test_a_tenant_that_tries_many_addresses_in_vain_has_to_wait(
    parts: contextlib.ExitStack, tmp_path: Path
) -> None:
    good = make_camera(parts, tmp_path)
    tap = make_tap(parts, tmp_path, WEIR_CAMERA_TRIALS_MAX="3")
    playing = tap.camera(good.url)
    tap.await_line("tap.source", camera_id=playing, state="up")
    vain = [tap.camera(f"rtsp://127.0.0.1:{free_port()}/x") for _ in range(3)]
    assert {told(tap, camera_id)[0] for camera_id in vain} == {"source_unreachable"}
    trap = make_trap(parts, "127.0.0.1")
    late = tap.camera(f"rtsp://127.0.0.1:{trap.port}/x")
    line = tap.await_line("tap.source", camera_id=late, state="failing")
    assert (line["reason"], line["permanent"]) == ("source_rate_limited", False)
    assert line["retry_in_ms"] >= 1000
    assert not trap.was_sprung()
    # The tenant's own camera goes on, a new one behind the same address too, and other tenants.
    again = tap.camera(good.url)
    tap.await_line("tap.source", camera_id=again, state="up")
    stranger = tap.camera(f"rtsp://127.0.0.1:{trap.port}/x", tenant_id=str(uuid.uuid4()))
    assert told(tap, stranger)[0] == "source_unreachable"
    assert trap.was_sprung()
    assert tap.stats[playing]["reconnects"] == 0


def test_other_networks_count_at_once_for_a_camera_that_plays(
    parts: contextlib.ExitStack, tmp_path: Path
) -> None:
    camera, tap = make_camera(parts, tmp_path), make_tap(parts, tmp_path)
    camera_id = tap.camera(camera.url)
    tap.await_line("tap.source", state="up")
    since = len(tap.lines)
    tap.camera(camera.url, camera_id=camera_id, networks="public", allow_local=False)
    assert told(tap, camera_id, since)[0] == "source_denied"
    since = len(tap.lines)
    tap.camera(camera.url, camera_id=camera_id)
    tap.await_line("tap.source", since=since, state="up")


def test_networks_that_cannot_be_read_open_nothing(
    parts: contextlib.ExitStack, tmp_path: Path
) -> None:
    tap = make_tap(parts, tmp_path)
    camera_id = tap.camera("rtsp://8.8.8.8:9/x", networks="public nonsense", allow_local=False)
    assert told(tap, camera_id)[0] == "source_denied"
