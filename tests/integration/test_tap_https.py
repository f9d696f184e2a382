# SPDX-License-Identifier: Apache-2.0
"""Cameras that are read by RTSP over HTTPS: the rig of RTSP over HTTP behind TLS, so that what came is
seen as it was sent, as it was encrypted, and as the requests of HTTP that it holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_rig import BASIC, PASSWORD, HttpGate, Tunnel, WireTap
from tap_rig import Tap, wait_until
from tls_rig import Certificate, TlsProxy


class Rig(Tunnel):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.certificate = Certificate(folder, "camera")
        self.other = Certificate(folder, "other")
        self.proxy = TlsProxy(self.gate.port, self.certificate)
        self.pin = self.certificate.key_pin()

    def add(self, url: str, password: str = PASSWORD, **fields: object) -> str:
        return super().add(url, password, **{"tls_pin_sha256": self.pin, **fields})

    def close(self) -> None:
        super().close()
        self.proxy.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_it_plays_and_nothing_is_in_the_clear(rig: Rig) -> None:
    wire = WireTap(rig.proxy.port)
    with contextlib.closing(wire):
        rig.gate.wants_password = True
        rig.plays(rig.add(wire.url.replace("rtsp:", "rtsps:")))
        assert rig.gate.methods() == [b"GET", b"GET", b"POST"]
        assert [BASIC in request for request in rig.gate.requests] == [False, True, True]
        assert [BASIC in came for came in rig.proxy.came] == [False, True, True]
        for heard in wire.heard:
            assert heard[:2] == b"\x16\x03", heard[:2]  # a handshake of TLS
            for word in (b"GET ", b"POST ", b"HTTP/1.", b"Authorization", PASSWORD.encode()):
                assert word not in heard
    assert PASSWORD not in rig.tap.logged()


def test_a_wrong_password_is_told(rig: Rig) -> None:
    # By RTSP, and by HTTP, where nothing of RTSP was seen yet.
    for wants_password, methods in ((True, [b"GET"] * 2), (False, [b"GET", b"POST"])):
        rig.gate.requests.clear()
        rig.gate.wants_password = wants_password
        camera_id = rig.add(rig.proxy.url, password="another one")
        assert rig.fails(camera_id) == ("source_auth_failed", True)
        assert rig.gate.methods() == methods


def test_who_has_another_certificate_is_sent_nothing(rig: Rig) -> None:
    camera_id = rig.add(rig.proxy.url, tls_pin_sha256=rig.other.pin())
    assert rig.fails(camera_id) == ("source_pin_mismatch", True)
    assert rig.proxy.came == [b""]
    unpinned = rig.tap.camera(rig.proxy.url, transport="http")
    assert rig.fails(unpinned) == ("source_pin_missing", True)
    assert len(rig.proxy.came) == 1
    assert rig.gate.requests == []


@pytest.mark.parametrize("wants_password", [False, True], ids=["post", "second get"])
def test_the_second_connection_is_looked_at_as_the_first(rig: Rig, wants_password: bool) -> None:
    rig.gate.wants_password = wants_password
    proxy = TlsProxy(rig.gate.port, rig.certificate, rig.other)
    with contextlib.closing(proxy):
        assert rig.fails(rig.add(proxy.url)) == ("source_pin_mismatch", True)
        assert rig.gate.methods() == [b"GET"]
        assert BASIC not in proxy.came[0]
        assert proxy.came[1:] == [b""]


def test_nobody_is_led_elsewhere(rig: Rig) -> None:
    rig.is_known(rig.proxy.url)
    other = HttpGate(rig.camera.port)
    with contextlib.closing(other), contextlib.closing(TlsProxy(other.port, rig.certificate)) as led:
        for location in (led.url.replace("rtsps", "https"), other.url.replace("rtsp", "http"), "/x"):
            rig.gate.answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode()
            assert rig.fails(rig.add(rig.proxy.url)) == ("source_redirected", False)
        rig.gate.halts = True
        assert rig.fails(rig.add(rig.proxy.url)) == ("source_redirected", False)
        assert rig.gate.methods().count(b"POST") == 1
        assert not any(request.startswith(b"GET /x") for request in rig.gate.requests)
        assert (led.came, other.requests) == ([], [])
        rig.gate.halts = False
        rig.ends_with_the_status(rig.proxy.url)


def test_a_redirect_within_is_not_followed(rig: Rig) -> None:
    rig.camera.fault("redirect")
    assert rig.fails(rig.add(rig.proxy.url)) == ("source_redirected", False)
    assert rig.gate.methods() == [b"GET", b"POST"]


def test_what_is_no_http_is_told(rig: Rig) -> None:
    rig.is_known(rig.proxy.url)
    rig.gate.answer = b"SSH-2.0-OpenSSH_9.2\r\n"
    assert rig.fails(rig.add(rig.proxy.url)) == ("source_protocol_error", False)
    # Nor is a status that only libavformat would read.
    rig.gate.answer = b"HTTP/1.1  200 OK\r\n\r\n"
    assert rig.fails(rig.add(rig.proxy.url)) == ("source_protocol_error", False)
    rig.gate.answer = b"HTTP/1.1 404 Not Found\r\n\r\n"
    assert rig.fails(rig.add(rig.proxy.url)) == ("source_not_found", False)
    assert rig.gate.methods().count(b"POST") == 1


def test_a_stranger_is_told_of_in_the_words_for_all(rig: Rig, tmp_path: Path) -> None:
    tap = Tap(tmp_path / "quick", WEIR_TAP_OPEN_MS="1000")
    fields = {"transport": "http", "tls_pin_sha256": rig.pin}

    def is_hushed(url: str) -> None:
        camera_id = tap.camera(url, username="operator", password=PASSWORD, **fields)
        told = tap.await_line("tap.source", 60, camera_id=camera_id, state="failing")
        assert told["reason"] == "source_unreachable", told

    plain = WireTap(rig.camera.port)
    with contextlib.closing(tap), contextlib.closing(plain):
        for answer in (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b"HTTP/1.1 404 No\r\n\r\n"):
            rig.gate.answer = answer
            is_hushed(rig.proxy.url)
        # What speaks no TLS is asked for nothing.
        is_hushed(plain.url.replace("rtsp:", "rtsps:"))
        wait_until("its only connection", lambda: len(plain.heard) == 1)
        assert b"GET " not in plain.heard[0]
        assert BASIC not in plain.heard[0]
