# SPDX-License-Identifier: Apache-2.0
"""Two renditions of one camera, against two FFmpeg runs and against one FFmpeg run that splits.

One 1080p25 camera of 4 Mb/s. Each side makes 1280x720 at 15 frames a second and 640x360 at 5, with the
same bits, and leaves HLS of a second a segment. Ours is the whole worker with all its children (tap,
transcoder, engines, origin); FFmpeg is tuned: frames are dropped before they are scaled, by the scaler
that is cheapest, one thread, no lookahead, x264's `veryfast`. In turn, over and over, since a small
machine cannot run all at once. What is compared is CPU for a second of video that came out, so that a
side which falls behind is not the cheaper.

weir-xcode encodes with x264's `superfast` and without the 8x8 transform, so it is shown what that does to
the picture: the same frames encoded either way, compared with what went in.

Checked: both of our renditions play with the size and frame rate asked for, so do FFmpeg's; the camera
has one session while we read it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client import Viewer
from common.process import cpu_us_of
from common.report import Report
from common.rig import Rig, rig
from common.samples import median
from stack import wait_for
from tap_rig import Camera

WIDTH, HEIGHT, FPS, GOP_S = 1920, 1080, 25, 2
# quality, frames a second, size, bits a second that Weir gives it
RENDITIONS = (("medium", 15, "1280:720", 1187000), ("low", 5, "640:360", 136000))
ROUNDS = 3
SETTLE_S = 3.0
SECONDS = 12  # of video that a window lasts for
LIMIT_S = 90
OURS = ("-preset", "superfast", "-x264-params", "8x8dct=0")
THEIRS = ("-preset", "veryfast")
CLIP_S = 12
LOSS_DB = 0.15  # of PSNR; a tenth of what is seen at all


def window(pids: list[int], made: Callable[[], int]) -> float:
    """Percent of a core that a second of video takes; `made` counts seconds that came out."""

    def next_second(since: int) -> int:
        def look() -> int:
            now = made()
            return now if now > since else 0

        return int(wait_for("another second", look, LIMIT_S, 0.1))

    first = next_second(made())
    before = cpu_us_of(pids)
    last = first
    while last < first + SECONDS:
        last = next_second(last)
    return (cpu_us_of(pids) - before) / (last - first) / 1e4


def seconds_of(text: str) -> int:
    """Segments so far, by a playlist of segments of a second."""
    found = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
    return (int(found.group(1)) if found else 0) + text.count("#EXTINF")


def probe(where: str) -> tuple[int, int, float]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-of", "json", where],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    stream = json.loads(done.stdout)["streams"][0]
    over, under = stream["avg_frame_rate"].split("/")
    return stream["width"], stream["height"], round(int(over) / int(under), 1)


EXPECTED = [(int(size.split(":")[0]), int(size.split(":")[1]), float(fps)) for _, fps, size, _ in RENDITIONS]


def ours(made: Rig, camera: str, is_first: bool) -> float:
    ids = []
    api = made.connect()
    for quality, fps, _, _ in RENDITIONS:
        body: dict[str, Any] = {"camera_id": camera, "quality": quality, "fps": fps}
        ids.append(str(api.call("POST", "/v1/streams", body).expect(200, 202).json["id"]))
    for one in ids:
        wait_for(
            "it runs",
            lambda one=one: api.call("GET", f"/v1/streams/{one}").json["state"] == "running", 60, 0.2,
        )  # fmt: skip
    time.sleep(SETTLE_S)
    urls = [api.call("POST", f"/v1/streams/{one}/tickets").expect(201).json["url"] for one in ids]
    viewer = Viewer(urls[-1]).open()
    used = window(made.tree("worker-0"), lambda: seconds_of(viewer.playlist().text))
    if is_first:
        assert [probe(url) for url in urls] == EXPECTED
        for one in ids:
            assert api.call("GET", f"/v1/streams/{one}").json["effective"]["how"] == "transcode"
    for one in ids:
        api.call("DELETE", f"/v1/streams/{one}").expect(202)
        wait_for(
            "it ended",
            lambda one=one: api.call("GET", f"/v1/streams/{one}").json["state"] == "stopped", 60, 0.2,
        )  # fmt: skip
    api.close()
    return used


def encoder(how: tuple[str, ...], fps: int, bps: int) -> list[str]:
    return [
        "-c:v", "libx264", *how, "-tune", "zerolatency", "-threads", "1", "-b:v", str(bps),
        "-maxrate", str(bps * 11 // 10), "-bufsize", str(bps), "-g", str(fps), "-sc_threshold", "0",
    ]  # fmt: skip


def output(fps: int, bps: int, list_file: Path, label: str = "") -> list[str]:
    list_file.parent.mkdir(parents=True, exist_ok=True)
    return [
        *(("-map", label) if label else ()), *encoder(THEIRS, fps, bps), "-an", "-f", "hls",
        "-hls_time", "1", "-hls_list_size", "7", "-hls_flags", "delete_segments",
        "-hls_segment_type", "fmp4", str(list_file),
    ]  # fmt: skip


def run(*argv: str) -> str:
    done = subprocess.run(["ffmpeg", "-nostdin", *argv], capture_output=True, text=True, check=True)
    return done.stderr


def psnr_db(fps: int, size: str, bps: int, how: tuple[str, ...], raw: Path) -> float:
    """How near the encoded frames are to those that went in."""
    whole = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size.replace(":", "x"), "-r", str(fps)]
    whole += ["-i", str(raw)]
    coded = raw.with_suffix(".mp4")
    run("-v", "error", "-y", *whole, *encoder(how, fps, bps), str(coded))
    told = run("-r", str(fps), "-i", str(coded), *whole, "-lavfi", "[0:v][1:v]psnr", "-f", "null", "-")
    found = re.search(r"PSNR .*average:([0-9.]+)", told)
    assert found, told
    return float(found.group(1))


def quality_db(url: str, folder: Path) -> list[float]:
    """What our settings gain (or lose, below 0) against theirs, a rendition each."""
    clip, gains = folder / "clip.mp4", []
    run("-v", "error", "-y", "-rtsp_transport", "tcp", "-t", str(CLIP_S), "-i", url, "-c", "copy", str(clip))
    for quality, fps, size, bps in RENDITIONS:
        raw = folder / f"{quality}.yuv"
        graph = f"fps={fps},scale={size}:flags=area"
        run("-v", "error", "-y", "-i", str(clip), "-vf", graph, "-pix_fmt", "yuv420p", "-f", "rawvideo", str(raw))
        gains.append(psnr_db(fps, size, bps, OURS, raw) - psnr_db(fps, size, bps, THEIRS, raw))
    return gains


def ffmpegs(url: str, folder: Path, is_split: bool) -> list[list[str]]:
    head = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-threads", "1", "-i", url]
    if not is_split:
        return [
            [*head, "-vf", f"fps={fps},scale={size}:flags=area", *output(fps, bps, folder / quality / "i.m3u8")]
            for quality, fps, size, bps in RENDITIONS
        ]
    graph = f"split={len(RENDITIONS)}" + "".join(f"[s{i}]" for i in range(len(RENDITIONS)))
    last: list[str] = []
    for i, (quality, fps, size, bps) in enumerate(RENDITIONS):
        graph += f";[s{i}]fps={fps},scale={size}:flags=area[o{i}]"
        last += output(fps, bps, folder / quality / "i.m3u8", f"[o{i}]")
    return [[*head, "-filter_complex", "[0:v]" + graph, *last]]


def theirs(url: str, folder: Path, is_split: bool, is_first: bool) -> float:
    running = [subprocess.Popen(one) for one in ffmpegs(url, folder, is_split)]
    lists = [folder / quality / "i.m3u8" for quality, *_ in RENDITIONS]
    try:
        wait_for("FFmpeg's lists", lambda: all(one.exists() for one in lists), 60, 0.2)
        time.sleep(SETTLE_S)
        used = window([one.pid for one in running], lambda: seconds_of(lists[-1].read_text()))
        assert all(one.poll() is None for one in running)
        if is_first:
            assert [probe(str(one)) for one in lists] == EXPECTED
    finally:
        for one in running:
            one.kill()
            one.wait()
    return used


def rounds(values: list[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def main() -> int:
    report = Report("renditions")
    options = ("--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS), "--gop", str(FPS * GOP_S),
               "--bitrate", "4000", "--noise")  # fmt: skip
    found: dict[str, list[float]] = {"weir": [], "two_runs": [], "one_split": []}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
        camera = Camera(Path(scratch) / "camera", *options)
        with rig(1) as made:
            api = made.connect()
            camera_id = made.add_camera(api, camera.url, idle_timeout_s=86400)
            api.close()
            for i in range(ROUNDS):
                found["weir"].append(ours(made, camera_id, i == 0))
                for name, is_split in (("two_runs", False), ("one_split", True)):
                    folder = Path(scratch) / f"{name}{i}"
                    found[name].append(theirs(camera.url, folder, is_split, i == 0))
        gains = quality_db(camera.url, Path(scratch))
        camera.kill()
    for name, values in found.items():
        report.keep(f"{name}_percent", values)
    weir = median(found["weir"])
    for name, what, target in (
        ("two_runs", "two FFmpeg runs", 1.35),
        ("one_split", "one FFmpeg run that splits", 1.1),
    ):
        report.at_least(f"CPU of {what} for two renditions, against ours", target,
                        median(found[name]) / weir, "x",
                        f"Weir {rounds(found['weir'])}; FFmpeg {rounds(found[name])} % of a core")  # fmt: skip
    report.at_least("what our settings do to the picture at the same bits, the worse rendition", -LOSS_DB,
                    min(gains), "dB", "PSNR of ours less that of veryfast: "
                    + ", ".join(f"{one:+.2f}" for one in gains))  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
