# SPDX-License-Identifier: Apache-2.0
"""Frames and bits of a rendition that is being watched change; against an FFmpeg that is ended and
started anew with the other figures.

One camera of 24 frames a second with a keyframe a second. Ours is weir-tap with its transcoder and an
engine: the rendition goes from 12 frames a second to 6 and back, and its bitrate with it, by what a
worker says (tap.pace). FFmpeg does the same job from the same camera into HLS of a second a segment;
to change it there is nothing but to end it and to start another one, which appends to the list. It is
tuned: it does not probe, and uses one thread without lookahead. In turn, over and over.

Both are read from the pictures: the camera draws its clock into each, so the new rate is in effect
with the first frame that comes at the new distance, and a gap is the longest time between two frames
that follow each other.

Checked: our segments follow each other without one missing and without a discontinuity, all of it
decodes without a complaint, and the transcoder is the same process as before.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from common.report import Report
from common.samples import median
from tap_rig import Camera, Decoded, Engine, Tap, durations, segments, sequence, wait_until

CAMERA = ("--fps", "24", "--gop", "24", "--bitrate", "600")
FAST, SLOW = 12, 6
ROUNDS = 4
AFTER_S = 4.0  # of pictures behind the change; the list has seven seconds
WIDTH, HEIGHT, BPS = 640, 360, 230000
CELLS, BITS, STAMP_ROW = 40, 39, 8
LIMIT_MS = 1000.0


def now_ms() -> int:
    return int(time.time() * 1000) % (1 << BITS)


def stamp_of(frame: bytes) -> int:
    """The low bits of the time that the camera drew, milliseconds (tests/camera/stamp.h)."""
    cell = WIDTH // CELLS
    bits = [frame[STAMP_ROW * WIDTH + i * cell + cell // 2] > 128 for i in range(CELLS)]
    assert sum(bits) % 2 == 0, "the stamp's parity"
    return int("".join("1" if bit else "0" for bit in bits[:BITS]), 2)


def effective_ms(stamps: list[int], told_ms: int, fps: int) -> float:
    """From the change until the first frame that, as the next two, comes at the new distance."""
    steps = [b - a for a, b in zip(stamps, stamps[1:], strict=False)]
    is_new = [abs(step * fps / 1000 - 1) < 0.3 for step in steps]
    for i in range(len(steps) - 2):
        if stamps[i + 1] > told_ms and all(is_new[i : i + 3]):
            return float(stamps[i + 1] - told_ms)
    raise AssertionError(f"{fps} frames a second never came: {steps}")


def gap_ms(stamps: list[int], told_ms: int) -> float:
    """The longest time between two frames, from a second before the change on."""
    near = [at for at in stamps if at > told_ms - 1000]
    return float(max(b - a for a, b in zip(near, near[1:], strict=False)))


class Ours:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.engine = Engine(folder / "engine")
        self.tap = Tap(folder / "tap")
        camera_id = self.tap.camera(url)
        self.tap.await_line("tap.source", 60, state="up", camera_id=camera_id)
        stream_id = str(uuid.uuid4())
        self.path = self.tap.publish(camera_id, self.engine, stream_id, quality="low", fps=FAST)
        self.tap.await_line("tap.stream", 60, state="publishing", stream_id=stream_id)
        self.process = self.transcoder()
        wait_until("a whole list", lambda: self.listed() >= 5, 60)

    def transcoder(self) -> str:
        pid = self.tap.process.pid
        found: str = wait_until(
            "the transcoder", lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text().strip(), 30
        )
        return found

    def listed(self) -> int:
        if self.engine.hls(self.path, "index.m3u8")[0] != 200:
            return 0
        return len(segments(self.engine.playlist(self.path)))

    def change(self, fps: int) -> tuple[float, float]:
        before = self.engine.playlist(self.path)
        told_ms = now_ms()
        self.tap.tell("tap.pace", fps_ppm=1_000_000 * fps // FAST)
        time.sleep(AFTER_S)
        decoded = Decoded(self.engine, self.path, self.folder, 5)
        assert decoded.exit_code == 0 and decoded.complaints == "", decoded.complaints
        first = sequence(decoded.playlist)
        assert sequence(before) <= first <= sequence(before) + len(segments(before)), "segments are missing"
        assert "DISCONTINUITY" not in decoded.playlist
        assert max(durations(decoded.playlist)) < 1.5, "a segment that is long"
        assert self.transcoder() == self.process, "another transcoder"
        stamps = [decoded.stamp_ms(n, STAMP_ROW) for n in range(len(decoded.frames))]
        return effective_ms(stamps, told_ms, fps), gap_ms(stamps, told_ms)

    def close(self) -> None:
        self.tap.close()
        self.engine.kill()


class Theirs:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        folder.mkdir()
        self.list = folder / "index.m3u8"
        self.process = self.start(FAST)
        wait_until("a whole list", lambda: self.listed() >= 5, 60)

    def start(self, fps: int) -> subprocess.Popen[bytes]:
        bps = BPS * fps // FAST
        argv = [
            "ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-probesize", "32",
            "-analyzeduration", "0", "-threads", "1", "-i", self.url, "-vf", f"fps={fps}", "-c:v", "libx264",
            "-preset", "veryfast", "-tune", "zerolatency", "-threads", "1", "-b:v", str(bps), "-maxrate",
            str(bps * 11 // 10), "-bufsize", str(bps), "-g", str(fps), "-sc_threshold", "0", "-an", "-f",
            "hls", "-hls_time", "1", "-hls_list_size", "9", "-hls_flags", "append_list+omit_endlist",
            str(self.list),
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(argv, stdout=log, stderr=log)

    def listed(self) -> int:
        return len(segments(self.list.read_text())) if self.list.exists() else 0

    def frames(self) -> list[bytes]:
        names = segments(self.list.read_text())
        media = b"".join((self.folder / name).read_bytes() for name in names)
        done = subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "mpegts", "-i", "-", "-map", "0:v:0", "-fps_mode", "passthrough",
             "-pix_fmt", "gray", "-f", "rawvideo", "-"],
            input=media, capture_output=True, check=True,
        )  # fmt: skip
        size = WIDTH * HEIGHT
        return [done.stdout[i : i + size] for i in range(0, len(done.stdout), size)]

    def change(self, fps: int) -> tuple[float, float]:
        told_ms = now_ms()
        self.process.terminate()
        self.process.wait(30)
        self.process = self.start(fps)

        def is_over() -> bool:
            return stamp_of(self.frames()[-1]) > told_ms + 1000 * (AFTER_S - 1)

        wait_until("pictures behind the change", is_over, 60)
        stamps = [stamp_of(frame) for frame in self.frames()]
        return effective_ms(stamps, told_ms, fps), gap_ms(stamps, told_ms)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def rounds(values: list[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def main() -> int:
    report = Report("live_change")
    found: dict[str, list[tuple[float, float]]] = {"weir": [], "ffmpeg": []}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
        camera = Camera(Path(scratch) / "camera", *CAMERA)
        ours = Ours(Path(scratch), camera.url)
        theirs = Theirs(Path(scratch) / "ffmpeg", camera.url)
        try:
            for i in range(ROUNDS):
                fps = SLOW if i % 2 == 0 else FAST
                found["weir"].append(ours.change(fps))
                found["ffmpeg"].append(theirs.change(fps))
        finally:
            theirs.close()
            ours.close()
            camera.kill()
    took = {name: [one for one, _ in values] for name, values in found.items()}
    gaps = {name: [one for _, one in values] for name, values in found.items()}
    for name in found:
        report.keep(f"{name}_effective_ms", took[name])
        report.keep(f"{name}_gap_ms", gaps[name])
    report.at_most("frames and bits of an open rendition changed: in effect after, worst", LIMIT_MS,
                   max(took["weir"]), "ms",
                   f"Weir {rounds(took['weir'])}; FFmpeg ended and started {rounds(took['ffmpeg'])} ms")  # fmt: skip
    report.at_most("the same: longest time between two frames, of those of 6 a second", 1.5,
                   max(gaps["weir"]) / (1000 / SLOW), "frame times",
                   f"Weir {rounds(gaps['weir'])}; FFmpeg {rounds(gaps['ffmpeg'])} ms")  # fmt: skip
    report.at_least("the same: times as long without a picture when FFmpeg is started anew", 3,
                    median(gaps["ffmpeg"]) / median(gaps["weir"]), "x")  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
