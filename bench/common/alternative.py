# SPDX-License-Identifier: Apache-2.0
"""What the same job costs elsewhere: a bare MediaMTX, and one ffmpeg a stream."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from common.keepalive import Connection
from dev import engine_build
from tap_rig import free_port, wait_until

# The settings of a worker's engine slot (worker/slot.c) wherever they touch what is measured; what
# differs is how the camera comes in: MediaMTX pulls it itself, when somebody asks for a playlist.
CONF = """
logLevel: info
readTimeout: 10s
writeTimeout: 10s
writeQueueSize: 8192
api: true
apiAddress: 127.0.0.1:{api}
rtsp: false
hls: true
hlsAddress: 127.0.0.1:{hls}
hlsVariant: fmp4
hlsAlwaysRemux: true
hlsSegmentCount: 7
hlsSegmentDuration: 1s
hlsDirectory: {folder}/segments
rtmp: false
webrtc: false
srt: false
moq: false
metrics: false
pprof: false
playback: false
authInternalUsers:
- {{user: any, pass: '', ips: [], permissions: [{{action: read}}, {{action: api}}]}}
paths:
  '~^cam[0-9]+$':
    source: {url}
    rtspTransport: tcp
    sourceOnDemand: true
    sourceOnDemandStartTimeout: 30s
    sourceOnDemandCloseAfter: 1s
"""


class BareEngine:
    """MediaMTX as one would run it for on-demand cameras; any path cam<N> is the same camera."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        (folder / "segments").mkdir()
        self.folder = folder
        self.hls, self.api = free_port(), free_port()
        config = folder / "mediamtx.yml"
        config.write_text(CONF.format(folder=folder, hls=self.hls, api=self.api, url=url))
        binary = engine_build.engine(folder / "build.log")
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen([binary, config], stdout=log, stderr=log)
        wait_until("MediaMTX's api", self.is_up)
        self.n = 0

    def is_up(self) -> bool:
        try:
            connection = Connection(f"http://127.0.0.1:{self.api}", timeout_s=2)
            return connection.call("GET", "/v3/paths/list").status == 200
        except OSError:
            return False

    def connect(self) -> Connection:
        return Connection(f"http://127.0.0.1:{self.hls}").open()

    def next_path(self) -> str:
        """A path that nobody asked for before: its camera is not pulled yet."""
        self.n += 1
        return f"/cam{self.n}/index.m3u8"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Copies:
    """One `ffmpeg -c copy` a stream, from RTSP to HLS files on tmpfs."""

    def __init__(self, folder: Path, urls: list[str]) -> None:
        self.folder = folder
        self.processes = []
        for i, url in enumerate(urls):
            place = folder / str(i)
            place.mkdir(parents=True)
            argv = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url]
            argv += ["-c", "copy", "-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "1"]
            argv += ["-hls_list_size", "7", "-hls_flags", "delete_segments", "index.m3u8"]
            with (place / "log").open("ab") as log:
                self.processes.append(subprocess.Popen(argv, cwd=place, stdout=log, stderr=log))

    def wait(self, seconds: float = 60) -> None:
        def all_play() -> bool:
            return all((self.folder / str(i) / "index.m3u8").is_file() for i in range(self.n))

        wait_until("every ffmpeg's playlist", all_play, seconds)
        time.sleep(0.1)

    @property
    def n(self) -> int:
        return len(self.processes)

    @property
    def pids(self) -> list[int]:
        for process in self.processes:
            assert process.poll() is None, "an ffmpeg ended by itself"
        return [process.pid for process in self.processes]

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
