# SPDX-License-Identifier: Apache-2.0
"""weir-origin with real engines behind it, without the rest of Weir: the tests play weir-worker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from client import Answer, fetch, wait_for
from dev import engine_build

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEIR_TEST_BUILD") or ROOT / "build" / "release")
SECRETS = ("first-origin-secret-0123456789", "second-origin-secret-987654321")

ENGINE_CONF = """
logLevel: error
api: true
apiAddress: unix://{folder}/api.sock
rtsp: true
rtspTransports: [tcp]
rtspAddress: 127.0.0.1:{port}
hls: true
hlsAddress: unix://{folder}/hls.sock
hlsVariant: {variant}
hlsSegmentDuration: 1s
hlsSegmentCount: 7
hlsAlwaysRemux: true
hlsCDNSecret: {secret}
hlsDirectory: {folder}/segments
writeQueueSize: 8192
rtmp: false
webrtc: false
srt: false
moq: false
metrics: false
pprof: false
playback: false
authInternalUsers:
  - {{user: any, pass: '', ips: [], permissions: [{{action: api}}, {{action: read}}, {{action: publish}}]}}
paths: {{'~^live/.+$': {{}}}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Engine:
    """One MediaMTX, and ffmpeg that publishes a test picture into it."""

    def __init__(self, folder: Path, variant: str, path: str) -> None:
        self.folder, self.variant, self.path = folder, variant, path
        self.secret = f"cdn-{uuid.uuid4().hex}"
        self.run = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.publisher: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700)

    def start(self) -> None:
        self.run += 1
        self.port = free_port()
        shutil.rmtree(self.folder / "segments", ignore_errors=True)
        (self.folder / "segments").mkdir()
        conf = self.folder / "mediamtx.yml"
        conf.write_text(
            ENGINE_CONF.format(
                folder=self.folder, port=self.port, variant=self.variant, secret=self.secret
            )
        )
        program = engine_build.engine(self.folder / "build.log")
        self.process = subprocess.Popen([str(program), str(conf)], cwd=self.folder)
        wait_for("the engine's RTSP port", self.is_listening, 10, 0.02)

    def is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def publish(self) -> None:
        argv = "ffmpeg -nostdin -loglevel error -re -f lavfi -i testsrc=size=320x240:rate=25".split()
        argv += "-f lavfi -i sine -c:v libx264 -preset ultrafast -g 25 -bf 0".split()
        argv += "-pix_fmt yuv420p -c:a aac -f rtsp -rtsp_transport tcp".split()
        argv += [f"rtsp://127.0.0.1:{self.port}/{self.path}"]
        self.publisher = subprocess.Popen(argv)

    def kill(self, sig: int = signal.SIGKILL) -> None:
        assert self.process
        self.process.send_signal(sig)
        if sig == signal.SIGKILL:
            self.process.wait()

    def end(self) -> None:
        for process in (self.publisher, self.process):
            if process is not None:
                process.kill()
                process.wait()


class Origin:
    """One weir-origin, its control channel and its door."""

    def __init__(self, folder: Path) -> None:
        self.secret_file = folder / "origin-secret"
        self.secret_file.write_text("\n".join(SECRETS) + "\n")
        self.secret_file.chmod(0o600)
        self.log = folder / "origin.log"
        self.start()

    def start(self) -> None:
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(5)
        self.unread = b""
        program = BUILD / "worker" / "origin" / "weir-origin"
        with theirs, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec "$0" 3<&{theirs.fileno()} {theirs.fileno()}<&-', str(program)],
                env={"WEIR_ORIGIN_SECRET_FILE": str(self.secret_file), "PATH": os.environ["PATH"]},
                pass_fds=(theirs.fileno(),),
                stderr=log,
            )
        self.port = int(self.hear("origin.listening")["port"])

    def say(self, **line: Any) -> None:
        self.channel.sendall(json.dumps(line).encode() + b"\n")

    def hear(self, kind: str, seconds: float = 5) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while b"\n" not in self.unread:
                self.unread += self.channel.recv(65536) or self.fail()
            line, self.unread = self.unread.split(b"\n", 1)
            told = dict(json.loads(line))
            if told["type"] == kind:
                return told
        raise AssertionError(f"no {kind} within {seconds} s")

    def fail(self) -> bytes:
        raise AssertionError(f"weir-origin ended: {self.log.read_text()[-2000:]}")

    def get(
        self, path: str, secret: str | None = SECRETS[0], method: str = "GET", **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if secret is not None:
            sent["Authorization"] = f"Bearer {secret}"
        return fetch(f"http://127.0.0.1:{self.port}{path}", method=method, headers=sent)

    def end(self) -> int:
        """Lets go of the control channel, as a dead weir-worker would; returns the exit status."""
        self.channel.close()
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()


class Routed:
    """A stream's generation, routed to an engine."""

    def __init__(self, origin: Origin, engine: Engine, generation: int = 1, seq_base: int = 0) -> None:
        self.origin, self.engine = origin, engine
        self.generation, self.seq_base = generation, seq_base
        self.stream_id = str(uuid.uuid4())
        self.placed_mono_ms = int(time.monotonic() * 1000)

    def route(self, **numbering: Any) -> None:
        """`numbering`: muxer and base, as an earlier origin told them."""
        self.origin.say(
            type="origin.route",
            stream_id=self.stream_id,
            generation=self.generation,
            hls_socket=f"{self.engine.folder}/hls.sock",
            path=self.engine.path,
            cdn_secret=self.engine.secret,
            seq_base=self.seq_base,
            placed_mono_ms=self.placed_mono_ms,
            run=self.engine.run,
            variant=self.engine.variant,
            **numbering,
        )

    def unroute(self) -> None:
        self.origin.say(
            type="origin.unroute", stream_id=self.stream_id, generation=self.generation
        )

    def get(self, file: str, **more: Any) -> Answer:
        return self.origin.get(f"/{self.stream_id}/{self.generation}/{file}", **more)

    def ask(self, ask_id: int) -> dict[str, Any]:
        self.origin.say(
            type="origin.ask", stream_id=self.stream_id, generation=self.generation, ask_id=ask_id
        )
        return self.origin.hear("origin.answer")
