# SPDX-License-Identifier: Apache-2.0
"""Cameras behind TLS (rtsps), each known by its certificate or by the key in it: a real RTSP server
behind a proxy that speaks TLS and writes down what it is sent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tap_rig import Camera, Tap, wait_until
from tls_rig import Certificate, TlsProxy

PASSWORD = "p@ss:w/ö rd"


class Rig:
    def __init__(self, folder: Path) -> None:
        password = folder / "password"
        password.write_text(PASSWORD)
        self.certificate = Certificate(folder, "camera")
        self.other = Certificate(folder, "other")
        self.camera = Camera(
            folder / "camera", "--user", "operator", "--password-file", str(password)
        )
        self.proxy = TlsProxy(self.camera.port, self.certificate)
        self.tap = Tap(folder / "tap")

    def add(self, url: str, **fields: object) -> str:
        return self.tap.camera(url, username="operator", password=PASSWORD, **fields)

    def close(self) -> None:
        self.tap.close()
        self.proxy.close()
        self.camera.kill()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_the_certificate_or_its_key_opens_the_camera(rig: Rig) -> None:
    for pin in (rig.certificate.pin(), rig.certificate.key_pin()):
        camera_id = rig.add(rig.proxy.url, tls_pin_sha256=pin)
        rig.tap.await_line("tap.source", camera_id=camera_id, state="up")
        wait_until(
            "frames", lambda c=camera_id: rig.tap.stats.get(c, {}).get("packets", 0) > 20
        )
    assert any(b"Digest" in came for came in rig.proxy.came)
    assert rig.tap.stats[camera_id]["transport"] == "tcp"


def test_who_has_another_certificate_is_sent_nothing(rig: Rig) -> None:
    thief = TlsProxy(rig.camera.port, rig.other)
    with contextlib.closing(thief):
        camera_id = rig.add(thief.url, tls_pin_sha256=rig.certificate.pin())
        told = rig.tap.await_line("tap.source", camera_id=camera_id, reason="source_pin_mismatch")
        assert (told["state"], told["permanent"]) == ("failing", True), told
        assert thief.came and not any(thief.came)
        # Nor is one trusted that was seen before.
        good = rig.add(thief.url, tls_pin_sha256=rig.other.key_pin())
        rig.tap.await_line("tap.source", camera_id=good, state="up")
        since = len(rig.tap.lines)
        rig.tap.camera(
            thief.url, camera_id=good, username="operator", password="another one",
            tls_pin_sha256=rig.certificate.key_pin(),
        )  # fmt: skip
        rig.tap.await_line(
            "tap.source", since=since, camera_id=good, reason="source_pin_mismatch"
        )
        assert not thief.came[-1]
    assert PASSWORD not in rig.tap.logged()


def test_without_a_pin_nobody_is_asked(rig: Rig) -> None:
    camera_id = rig.add(rig.proxy.url)
    told = rig.tap.await_line("tap.source", camera_id=camera_id, state="failing")
    assert (told["reason"], told["permanent"]) == ("source_pin_missing", True), told
    assert rig.proxy.came == []


def test_what_speaks_no_tls_gets_no_password(rig: Rig) -> None:
    url = rig.camera.url.replace("rtsp://", "rtsps://")
    camera_id = rig.add(url, tls_pin_sha256=rig.certificate.pin())
    told = rig.tap.await_line("tap.source", camera_id=camera_id, state="failing")
    assert (told["reason"], told["permanent"]) == ("source_unreachable", False), told
