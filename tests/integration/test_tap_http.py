# SPDX-License-Identifier: Apache-2.0
"""Cameras that are read by RTSP over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_rig import BASIC, PASSWORD, HttpGate, Tunnel
from tap_rig import Tap


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Tunnel]:
    made = Tunnel(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_it_plays_by_two_connections(rig: Tunnel) -> None:
    rig.plays(rig.add(rig.gate.url))
    assert rig.gate.methods() == [b"GET", b"POST"]
    assert all(b"Authorization" not in request for request in rig.gate.requests)
    wrong = rig.add(rig.gate.url, password="another one")
    assert rig.fails(wrong) == ("source_auth_failed", True)
    assert PASSWORD not in rig.tap.logged()


def test_a_camera_may_want_the_password_by_http(rig: Tunnel) -> None:
    rig.gate.wants_password = True
    # Told also where nothing of RTSP was seen yet.
    assert rig.fails(rig.add(rig.gate.url, password="another one")) == ("source_auth_failed", True)
    assert rig.gate.methods() == [b"GET", b"GET"]
    rig.plays(rig.add(rig.gate.url))
    assert rig.gate.methods()[2:] == [b"GET", b"GET", b"POST"]
    assert [BASIC in request for request in rig.gate.requests[2:]] == [False, True, True]
    assert PASSWORD not in rig.tap.logged()


def test_nobody_is_led_elsewhere(rig: Tunnel) -> None:
    other = HttpGate(rig.camera.port)
    with contextlib.closing(other):
        rig.is_known(rig.gate.url)
        for location in (other.url.replace("rtsp", "http"), other.url, "/elsewhere"):
            rig.gate.answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode()
            assert rig.fails(rig.add(rig.gate.url)) == ("source_redirected", False)
        assert rig.gate.methods().count(b"POST") == 1
        assert not any(b"elsewhere" in request for request in rig.gate.requests)
        assert other.requests == []
        rig.ends_with_the_status(rig.gate.url)


def test_a_stranger_is_told_of_in_the_words_for_all(rig: Tunnel, tmp_path: Path) -> None:
    tap = Tap(tmp_path / "quick", WEIR_TAP_OPEN_MS="1000")
    with contextlib.closing(tap):
        for answer in (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b"HTTP/1.1 404 No\r\n\r\n"):
            rig.gate.answer = answer
            camera_id = tap.camera(rig.gate.url, transport="http")
            told = tap.await_line("tap.source", 60, camera_id=camera_id, state="failing")
            assert told["reason"] == "source_unreachable", told


def test_a_redirect_within_is_not_followed(rig: Tunnel) -> None:
    rig.camera.fault("redirect")
    assert rig.fails(rig.add(rig.gate.url)) == ("source_redirected", False)
    assert rig.gate.methods() == [b"GET", b"POST"]


def test_what_is_no_http_is_told(rig: Tunnel) -> None:
    rig.is_known(rig.gate.url)
    rig.gate.answer = b"SSH-2.0-OpenSSH_9.2\r\n"
    assert rig.fails(rig.add(rig.gate.url)) == ("source_protocol_error", False)
    rig.gate.answer = b"HTTP/1.1 404 Not Found\r\n\r\n"
    assert rig.fails(rig.add(rig.gate.url)) == ("source_not_found", False)
