# SPDX-License-Identifier: Apache-2.0
"""What a hostile network brings: malformed requests, clients that drip, cameras that send nonsense."""

from __future__ import annotations

import os
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from pathlib import Path

# ---- requests that are malformed or ambiguous; {path} answers 200 to a sound one ----

MATRIX: list[tuple[str, str]] = [
    ("two Content-Length", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("two equal Content-Length", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ("Content-Length and Transfer-Encoding", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a chunked body", "POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("two Transfer-Encoding", "POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ("an unknown Transfer-Encoding", "POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("a list of Transfer-Encodings", "POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("a hexadecimal chunk size", "POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
    ("Content-Length with a plus", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: +5\r\n\r\nhello"),
    ("Content-Length negative", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: -5\r\n\r\nhello"),
    ("Content-Length in hexadecimal", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 0x5\r\n\r\nhello"),
    ("Content-Length as a list", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 5, 5\r\n\r\nhello"),
    ("Content-Length empty", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length:\r\n\r\nhello"),
    ("Content-Length past 64 bits", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 18446744073709551621\r\n\r\nhello"),
    ("a space before the colon", "POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length : 5\r\n\r\nhello"),
    ("a folded header", "POST {path} HTTP/1.1\r\nHost: t\r\nX-A: b\r\n c\r\n\r\n"),
    ("a first header that begins with a space", "POST {path} HTTP/1.1\r\n Host: t\r\nX-A: b\r\n\r\n"),
    ("a bare CR in a value", "POST {path} HTTP/1.1\r\nHost: t\r\nX-A: b\rX-C: d\r\n\r\n"),
    ("a header without a colon", "POST {path} HTTP/1.1\r\nHost: t\r\nnonsense\r\n\r\n"),
    ("a header name with a slash", "POST {path} HTTP/1.1\r\nHost: t\r\nX/A: b\r\n\r\n"),
    ("no Host", "GET {path} HTTP/1.1\r\nX-A: b\r\n\r\n"),
    ("two Host", "GET {path} HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n"),
    ("two Authorization", "POST {path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"),
    ("NUL escaped in the target", "GET {path}%00 HTTP/1.1\r\nHost: t\r\n\r\n"),
    ("a space in the target", "GET {path} a HTTP/1.1\r\nHost: t\r\n\r\n"),
    ("an absolute target of another host", "POST http://t{path} HTTP/1.1\r\nHost: t\r\n\r\n"),
    ("a method in lower case", "get {path} HTTP/1.1\r\nHost: t\r\n\r\n"),
    ("an unknown version", "GET {path} HTTP/3.7\r\nHost: t\r\n\r\n"),
    ("NUL in a value", "GET {path} HTTP/1.1\r\nHost: t\r\nX-A: b\0c\r\n\r\n"),
    ("a header of 64 KiB", "GET {path} HTTP/1.1\r\nHost: t\r\nX-A: " + "a" * 65536 + "\r\n\r\n"),
]
# What every server also meets, and where only "no harm" is asked.
NOISE = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), b"\0" * 4096, b"\r\n" * 4096,
         b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET " + b"/" * 100_000, os.urandom(8192)]  # fmt: skip


def exchange(port: int, data: bytes, seconds: float = 15) -> bytes:
    """Sends, and reads until there is an answer or the server closes."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as sock:
        try:
            sock.sendall(data)
            while b"\r\n\r\n" not in got and (part := sock.recv(65536)):
                got += part
        except TimeoutError as error:
            raise AssertionError(f"port {port} holds a malformed request open: {got[:200]!r}") from error
        except OSError:
            pass  # refused by a reset
    return got


def accepted(port: int, path: str) -> list[str]:
    """The requests of the matrix that a server took for sound ones; each must be answered or cut."""
    wrong = []
    for what, text in MATRIX:
        answer = exchange(port, text.replace("{path}", path).encode("latin-1"))
        status = answer.split(b" ", 2)[1:2]
        if status and (status[0].startswith((b"2", b"3")) or status[0] == b"500"):
            wrong.append(f"{what}: {answer[:60]!r}")
    for noise in NOISE:
        exchange(port, noise)
    return wrong


# ---- clients that drip ----


class Drips:
    """Connections that send a request a byte every half second, and never end it."""

    HEAD = b"GET /openapi.json HTTP/1.1\r\nHost: t\r\nX-Drip: "
    BODY = b"POST /v1/streams HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"

    def __init__(self, ports: list[int], each: int) -> None:
        self.begun = time.monotonic()
        self.open: dict[socket.socket, int] = {}
        self.longest_s = 0.0
        for port in ports:
            for i in range(each):
                sock = socket.create_connection(("127.0.0.1", port), timeout=10)
                sock.sendall(self.BODY if i % 2 else self.HEAD[: 1 + i % 20])
                sock.setblocking(False)
                self.open[sock] = port

    def drip(self) -> None:
        for sock in list(self.open):
            try:
                if select.select([sock], [], [], 0)[0] and not sock.recv(65536):
                    raise ConnectionError
                sock.send(b"a")
            except BlockingIOError:
                continue
            except OSError:
                sock.close()
                del self.open[sock]
                self.longest_s = time.monotonic() - self.begun

    def run(self, seconds: float) -> None:
        """Drips until every server has had enough, or the time is over."""
        while self.open and time.monotonic() - self.begun < seconds:
            self.drip()
            time.sleep(0.5)

    def close(self) -> None:
        for sock in self.open:
            sock.close()


# ---- cameras that send nonsense ----

PAUSE_S = 0.02
SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
)


def endless(send: Callable[[bytes], None], _receive: Callable[[], bytes]) -> None:
    """Random bytes for ever, whatever is asked."""
    while True:
        send(os.urandom(16384))
        time.sleep(PAUSE_S)


def huge_header(send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
    """An answer whose header never ends."""
    receive()
    send(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: ")
    while True:
        send(b"A" * 16384)
        time.sleep(PAUSE_S)


def huge_body(send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
    """A description that claims to be four gigabytes, and means it."""
    receive()
    send(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n")
    receive()
    send(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: 4294967290\r\n\r\n")
    while True:
        send(b"a=x:" + os.urandom(4096).hex().encode() + b"\r\n")
        time.sleep(PAUSE_S)


def answer_all(
    send: Callable[[bytes], None], receive: Callable[[], bytes], sdp: bytes, play: Callable[[], bytes]
) -> None:
    """A well-behaved camera up to PLAY, then whatever `play` gives."""
    cseq = 0
    while True:
        request = receive()
        cseq += 1
        head = b"RTSP/1.0 200 OK\r\nCSeq: %d\r\n" % cseq
        if request.startswith(b"DESCRIBE"):
            send(head + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(sdp) + sdp)
        elif request.startswith(b"SETUP"):
            send(head + b"Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
        elif request.startswith(b"PLAY"):
            send(head + b"Session: 1\r\n\r\n")
            while True:
                send(play())
                time.sleep(PAUSE_S)
        else:
            send(head + b"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n")


def binary_sdp(send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
    answer_all(send, receive, os.urandom(60_000), lambda: b"")


def garbage_frames(send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
    """Interleaved frames full of chance, under every channel number."""

    def frame() -> bytes:
        body = os.urandom(1 + os.urandom(1)[0] * 4)
        return b"$" + os.urandom(1) + len(body).to_bytes(2, "big") + body

    answer_all(send, receive, SDP, frame)


def garbage_packets(send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
    """RTP headers that are right, with H.264 payloads that are chance."""
    sequence = 0

    def packet() -> bytes:
        nonlocal sequence
        sequence += 1
        body = (
            b"\x80\xe0" + (sequence & 0xFFFF).to_bytes(2, "big")
            + (sequence * 6000 & 0xFFFFFFFF).to_bytes(4, "big") + b"\0\0\0\1" + os.urandom(600)
        )  # fmt: skip
        return b"$\0" + len(body).to_bytes(2, "big") + body

    answer_all(send, receive, SDP, packet)


BEHAVIOURS = [endless, huge_header, huge_body, binary_sdp, garbage_frames, garbage_packets]


class BadCamera(socketserver.ThreadingTCPServer):
    """An RTSP server of one bad behaviour, on a free port of loopback."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, behaviour: Callable[[Callable[[bytes], None], Callable[[], bytes]], None]) -> None:
        self.behaviour = behaviour
        self.connections = 0
        super().__init__(("127.0.0.1", 0), BadCameraConnection)
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.server_address[1]}/cam"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class BadCameraConnection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, BadCamera)
        self.server.connections += 1
        self.request.settimeout(30)

        def receive() -> bytes:
            got = b""
            while b"\r\n\r\n" not in got:
                part = self.request.recv(4096)
                if not part:
                    raise ConnectionError
                got += part
            return got

        try:
            self.server.behaviour(self.request.sendall, receive)
        except OSError:
            pass  # the other side had enough


# ---- records ----


def poison_files(folder: Path) -> list[Path]:
    """Records that nobody can read, each in a file: text, JSON, half an event, and 250 kB of it."""
    texts = [
        b"\xff\xfe not even text", b"{", b"[]", b'{"specversion":"1.0"}',
        b'{"specversion":"1.0","id":"1","source":"x","type":"weir.nonsense","data":{}}',
        b"{" + b'"a":{' * 200 + b"}" * 201, b"x" * 250_000,
        b'{"specversion":"1.0","data":"' + b"y" * 240_000 + b'"}', os.urandom(100_000),
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    files = []
    for i, text in enumerate(texts):
        files.append(folder / f"poison-{i}")
        files[-1].write_bytes(text)
    return files
