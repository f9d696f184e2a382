# SPDX-License-Identifier: Apache-2.0
"""Sound of real cameras: weir-tap, weir-xcode, engines and ffmpeg; no Kafka, no worker."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tap_rig import Camera, Engine, Tap, children, init_of, segments, wait_until

OPTIONS = ("--fps", "15", "--gop", "15")
# The 39 bits of a stamp begin anew in the middle of a second.
STAMP_PHASE = (1_767_225_600_000 >> 39 << 39) % 1000
LOUD = 3000  # of 32767
AUDIO_TRACK = 1
REPORTS_S = 4  # RFC 3550 section 6.2: the first one after half of five seconds, give or take a half


class Rig:
    """Makes parts, and ends them with the tests."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.spool.mkdir(mode=0o700)
        self.engine = Engine(folder / "engine")
        self.tap = Tap(folder / "tap", WEIR_TAP_SPOOL_DIR=str(self.spool), **environment)
        self.cameras: list[Camera] = []

    def source(self, *options: str) -> str:
        self.cameras.append(Camera(self.folder / f"camera{len(self.cameras)}", *OPTIONS, *options))
        return self.cameras[-1].url

    def camera(self, *options: str, audio: bool = True, **more: Any) -> tuple[str, dict[str, Any]]:
        """Its id, and what is said of it."""
        camera_id = self.tap.camera(self.source(*options), audio=audio, **more)
        up = self.tap.await_line("tap.source", state="up", camera_id=camera_id)
        self.await_reports(camera_id)
        return camera_id, up

    def await_reports(self, source: str) -> None:
        """Until sender reports of each track have come: before, sound and picture are tied by RTP-Info alone,
        and its error is the camera's."""
        wait_until("a report", lambda: self.tap.stats.get(source, {}).get("clock") == "rtcp_sr", 60)
        time.sleep(REPORTS_S)  # that of the sound, which nothing tells of

    def publish(self, camera_id: str, **profile: Any) -> tuple[str, dict[str, Any]]:
        """The engine's path, and what the tap says that it publishes."""
        stream_id = str(uuid.uuid4())
        path = self.tap.publish(camera_id, self.engine, stream_id, **profile)
        line = self.tap.await_line("tap.stream", 60, state="publishing", stream_id=stream_id)
        return path, line["effective"]

    def xcodes(self) -> list[int]:
        return children(self.tap.process.pid, "weir-xcode")

    def close(self) -> None:
        self.tap.close()
        for camera in self.cameras:
            camera.kill()
        self.engine.kill()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    try:
        yield made
    finally:
        made.close()


def playlists(engine: Engine, path: str) -> list[str]:
    """Names of the media playlists: the video's, then the sound's, if there is any."""
    index = engine.index(path)
    sound = [line.split('URI="')[1].split('"')[0] for line in index.splitlines() if "TYPE=AUDIO" in line]
    return [line for line in index.splitlines() if line and not line.startswith("#")] + sound


class Media:
    """A track of the newest segments: times of its packets in seconds, and the bytes."""

    def __init__(self, rig: Rig, path: str, which: int, n: int) -> None:
        def whole() -> bytes | None:
            if rig.engine.hls(path, "index.m3u8")[0] != 200:
                return None
            names = playlists(rig.engine, path)
            if len(names) <= which:
                return None
            status, body = rig.engine.hls(path, names[which])
            if status != 200 or len(segments(body.decode())) < n:
                return None
            parts = [init_of(body.decode()), *segments(body.decode())]
            got = [rig.engine.hls(path, name) for name in parts]
            return b"".join(data for _, data in got) if all(code == 200 for code, _ in got) else None

        self.file = rig.folder / f"{uuid.uuid4().hex}.mp4"
        self.file.write_bytes(wait_until(f"{n} segments of track {which} of {path}", whole, 60))
        done = subprocess.run(
            ["ffprobe", "-v", "error", "-show_entries", "packet=pts_time,flags:stream=codec_name,sample_rate",
             "-of", "json", self.file], capture_output=True, check=True,
        )  # fmt: skip
        said = json.loads(done.stdout)
        self.codec = said["streams"][0]["codec_name"]
        self.rate = int(said["streams"][0].get("sample_rate", 0))
        self.packets = said["packets"]
        self.times = [float(packet["pts_time"]) for packet in self.packets]

    def tones(self) -> list[float]:
        """When it becomes loud: each packet is 1024 samples, decoded."""
        pcm = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", self.file, "-ac", "1", "-f", "s16le", "-"],
            capture_output=True, check=True,
        ).stdout  # fmt: skip
        samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
        found: list[float] = []
        for at, sample in enumerate(samples):
            time = self.times[at // 1024] + at % 1024 / self.rate
            if abs(sample) > LOUD and (not found or time - found[-1] > 0.5):
                found.append(time)
        return found

    def seconds(self, size: tuple[int, int]) -> list[float]:
        """When the camera's seconds began, as its pictures tell (tests/camera/stamp.h)."""
        width, height = size
        raw = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", self.file, "-fps_mode", "passthrough", "-enc_time_base", "-1",
             "-vf", f"scale={width}:{height}", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
            capture_output=True, check=True,
        ).stdout  # fmt: skip
        found: list[float] = []
        for n, time in enumerate(sorted(self.times)):
            row = n * width * height + 3 * width
            bits = [raw[row + i * width // 40 + width // 80] > 128 for i in range(40)]
            assert sum(bits) % 2 == 0, "the stamp's parity"
            stamp_ms = int("".join("1" if bit else "0" for bit in bits[:39]), 2)
            found.append(time - (stamp_ms + STAMP_PHASE) % 1000 / 1000)
        return found


def apart(tones: list[float], seconds: list[float]) -> list[float]:
    """Of each tone, by how much it comes behind the begin of the second, as the pictures tell it."""
    near = [min((tone - second for second in seconds), key=abs) for tone in tones]
    return [distance for distance in near if abs(distance) < 0.5]


def expect_together(rig: Rig, path: str, n: int) -> tuple[Media, Media]:
    """The sound and the video of at least `n` segments, the newest two tones of which are together with the
    picture. Before the camera's first reports, sound lies where it arrived."""
    seen: list[list[float]] = []

    def heard() -> tuple[Media, Media, list[float]] | None:
        sound, video = Media(rig, path, 1, n), Media(rig, path, 0, n)
        off = apart(sound.tones(), video.seconds((640, 360)))
        seen.append(off)
        is_together = len(off) >= 2 and all(abs(distance) < 0.05 for distance in off[-2:])
        return (sound, video, off) if is_together else None

    try:
        sound, video, off = wait_until(f"two tones in {path}", heard, 60)
    finally:
        print(f"sound after the picture, s: {seen}")
    assert all(abs(distance) < 0.25 for distance in off)
    return sound, video


def files(rig: Rig) -> list[Path]:
    return [file for file in rig.spool.iterdir() if file.stat().st_size > 0]


def kept_sound(rig: Rig, may_be_empty: bool = False) -> int:
    """Units of sound in the tap's files."""
    found = 0
    if not may_be_empty:
        wait_until("files of the tap", lambda: files(rig))
    for file in files(rig):
        data = file.read_bytes()
        (unit_size,) = struct.unpack_from("=I", data, 4)
        tracks = next((t for o in range(16, 8192, 8) if (t := chain(data, o, unit_size))), [])
        assert tracks, f"{file}: no units"
        found += tracks.count(AUDIO_TRACK)
    return found


def chain(data: bytes, at: int, unit_size: int) -> list[int]:
    """The tracks of units that follow each other from there to the end, but for one being written."""
    tracks: list[int] = []
    while at + unit_size <= len(data):
        (track, is_key) = struct.unpack_from("=I?", data, at)
        (length,) = struct.unpack_from("=Q", data, at + unit_size - 8)
        if track > 1 or not 0 < length < len(data) or (not tracks and (track or not is_key)):
            return []
        tracks.append(track)
        at += unit_size + length
    return tracks


def test_off_by_default_nothing_is_heard_or_kept(rig: Rig) -> None:
    camera_id, up = rig.camera("--audio", "aac", audio=False)
    assert "audio_codec" not in up and "audio_dropped" not in up
    path, effective = rig.publish(camera_id)
    assert effective["audio"] == "off"
    video = Media(rig, path, 0, 2)
    assert video.codec == "h264" and len(playlists(rig.engine, path)) == 1
    assert kept_sound(rig) == 0


def test_g711_becomes_aac_in_time_with_the_pictures(rig: Rig) -> None:
    camera_id, up = rig.camera("--audio", "pcma")
    assert up["audio_codec"] == "mp4a" and "audio_dropped" not in up
    path, effective = rig.publish(camera_id)
    assert effective["audio"] == "made" and effective["how"] == "passthrough"
    sound, video = expect_together(rig, path, 5)
    assert (sound.codec, sound.rate, video.codec) == ("aac", 16000, "h264")
    # No overlap, and no hole but where the camera's own sound begins.
    steps = [b - a for a, b in zip(sound.times, sound.times[1:], strict=False)]
    assert len([step for step in steps if abs(step - 0.064) > 0.002]) <= 1, steps
    assert 0.06 < min(steps) and max(steps) < 0.13, steps
    assert kept_sound(rig) > 0


def test_renditions_take_the_sound_along_and_other_sources_have_their_own(rig: Rig) -> None:
    sub = {"name": "sub", "url": rig.source("--audio", "pcma"), "transport": "tcp"}
    camera_id, _ = rig.camera("--audio", "pcmu", "--size", "1280x720", "--gop", "8", others=[sub])
    made, said = rig.publish(camera_id, quality="low", fps=10)
    rare, rarely = rig.publish(camera_id, quality="source", fps=1)
    rig.publish(camera_id, quality="low")
    rig.await_reports(f"{camera_id}/sub")
    # Nothing of it is from before them.
    small, other = rig.publish(camera_id, quality="low")
    assert (said["how"], rarely["how"], other["how"]) == ("transcode", "keyframes", "profile")
    assert (said["audio"], rarely["audio"], other["audio"]) == ("made", "made", "made")
    assert len(rig.xcodes()) == 3
    for path in (made, rare, small):
        assert expect_together(rig, path, 4)[0].codec == "aac"


def test_aac_passes_and_goes_and_comes_back_while_it_plays(rig: Rig) -> None:
    camera_id, up = rig.camera("--audio", "aac")
    assert up["audio_codec"] == "mp4a"
    path, effective = rig.publish(camera_id)
    assert effective["audio"] == "aac"
    sound, _ = expect_together(rig, path, 4)
    assert (sound.codec, sound.rate) == ("aac", 48000)
    assert kept_sound(rig) > 0 and rig.xcodes() == []

    def change(audio: bool, state: str) -> dict[str, Any]:
        """What is said of the stream then."""
        since = len(rig.tap.lines)
        rig.tap.camera(rig.cameras[-1].url, camera_id=camera_id, audio=audio)
        return rig.tap.await_line("tap.stream", 60, since, state=state).get("effective", {})

    # At once, whatever the camera does. The session stays, so that players do, with silence.
    rig.cameras[-1].fault("silent")
    since = len(rig.tap.lines)
    assert change(False, "publishing")["audio"] == "off"
    assert kept_sound(rig, may_be_empty=True) == 0
    # The camera is not even asked for it any more.
    rig.cameras[-1].fault("none")
    up = rig.tap.await_line("tap.source", 60, since, state="up", camera_id=camera_id)
    assert "audio_codec" not in up
    wait_until("nothing is heard", lambda: Media(rig, path, 1, 4).tones() == [], 60)
    assert kept_sound(rig) == 0
    lines = [x for x in rig.tap.lines[since:] if x["type"] == "tap.stream"]
    assert [x["state"] for x in lines] == ["publishing"]
    # Who is published now has none at all.
    other, effective = rig.publish(camera_id)
    assert effective["audio"] == "off"
    Media(rig, other, 0, 2)
    assert len(playlists(rig.engine, other)) == 1

    # Who was told of sound goes on and hears it; the other one's session begins anew.
    since = len(rig.tap.lines)
    assert change(True, "publishing")["audio"] == "aac"
    wait_until("it is heard", lambda: len(Media(rig, path, 1, 4).tones()) >= 2, 60)
    wait_until("it is heard", lambda: len(playlists(rig.engine, other)) == 2, 60)
    again = [x["stream_id"] for x in rig.tap.lines[since:] if x.get("state") == "connecting" and "stream_id" in x]
    assert again == [other.split("/")[1]]
    expect_together(rig, path, 4)


def test_while_nobody_makes_sound_there_is_silence_and_then_sound_again(rig: Rig) -> None:
    camera_id, _ = rig.camera("--audio", "pcma")
    path, _ = rig.publish(camera_id)
    expect_together(rig, path, 4)
    (child,) = rig.xcodes()
    lines = len(rig.tap.lines)
    os.kill(child, signal.SIGSTOP)
    # It hangs, so it is killed. Pictures go on in the same session; of sound there is a unit for each moment, and a new
    # process makes some again.
    (after,) = wait_until("another process", lambda: [x for x in rig.xcodes() if x != child], 60)
    sound = Media(rig, path, 1, 7)
    while len(sound.tones()) < 2 or sound.tones()[-1] < sound.times[-1] - 1.5:
        sound = Media(rig, path, 1, 7)
    steps = [b - a for a, b in zip(sound.times, sound.times[1:], strict=False)]
    assert 0.06 < min(steps) and max(steps) < 0.13, steps
    expect_together(rig, path, 7)
    assert rig.xcodes() == [after]
    assert [x for x in rig.tap.lines[lines:] if x["type"] == "tap.stream"] == []
    assert "ended" in rig.tap.logged()


def test_g726_becomes_aac(rig: Rig) -> None:
    """Which the test camera cannot send: an engine that ffmpeg publishes to is the camera."""
    engine = rig.engine
    ffmpeg = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=15", "-f", "lavfi",
         "-i", "aevalsrc=0.6*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.04):s=8000", "-c:v", "libx264", "-preset",
         "ultrafast", "-tune", "zerolatency", "-g", "15", "-c:a", "g726", "-b:a", "32k", "-f", "rtsp",
         "-rtsp_transport", "tcp",
         f"rtsp://{engine.user}:{engine.password}@127.0.0.1:{engine.port}/live/camera/1"],
    )  # fmt: skip
    try:
        camera_id = rig.tap.camera(f"rtsp://127.0.0.1:{engine.port}/live/camera/1", audio=True)
        rig.tap.await_line("tap.source", 60, state="up", camera_id=camera_id)
        path, effective = rig.publish(camera_id)
        assert effective["audio"] == "made"
        wait_until("two tones", lambda: len(Media(rig, path, 1, 2).tones()) >= 2, 60)
    finally:
        ffmpeg.kill()
        ffmpeg.wait()


def test_what_can_neither_pass_nor_be_made_is_told(rig: Rig) -> None:
    camera_id, up = rig.camera("--audio", "l16")
    assert up["audio_dropped"] == "pcm_s16be" and "audio_codec" not in up
    path, effective = rig.publish(camera_id)
    assert effective["audio"] == "unfit"
    Media(rig, path, 0, 2)
    assert len(playlists(rig.engine, path)) == 1


# Speaks lib/domain/xcode.h as one that encodes pictures alone.
SOUNDLESS = """#!/usr/bin/python3
import socket, struct
HEAD = struct.Struct("=IIIIIIq")
pipe = socket.socket(fileno=3)
def read(n):
    data = b""
    while len(data) < n:
        piece = pipe.recv(n - len(data))
        if not piece:
            raise SystemExit
        data += piece
    return data
while True:
    magic, kind, _, _, _, length, ts = HEAD.unpack(read(HEAD.size))
    read(length)
    if kind == 5:
        pipe.sendall(HEAD.pack(magic, 7, 0, 0, 0, 0, 0))
    elif kind in (3, 6):
        pipe.sendall(HEAD.pack(magic, 4, 0, 0, 0, 0, ts))
"""


def test_a_program_that_makes_no_sound_leaves_the_pictures(tmp_path: Path) -> None:
    program = tmp_path / "soundless"
    program.write_text(SOUNDLESS)
    program.chmod(0o700)
    rig = Rig(tmp_path, WEIR_XCODE=str(program))
    try:
        camera_id, up = rig.camera("--audio", "pcma")
        assert up["audio_codec"] == "mp4a"
        up = rig.tap.await_line("tap.source", 60, state="up", camera_id=camera_id, audio_dropped="pcm_alaw")
        assert "audio_codec" not in up
        path, effective = rig.publish(camera_id)
        assert effective["audio"] == "unfit"
        Media(rig, path, 0, 3)
        assert len(playlists(rig.engine, path)) == 1
        # Nor is it asked again when the camera comes back.
        since = len(rig.tap.lines)
        rig.cameras[-1].kill()
        rig.tap.await_line("tap.source", 60, since, state="failing")
        rig.cameras[-1].start()
        up = rig.tap.await_line("tap.source", 60, since, state="up")
        assert up["audio_dropped"] == "pcm_alaw"
    finally:
        rig.close()
