# SPDX-License-Identifier: Apache-2.0
"""weir-tap between real cameras and real engines: the tests play weir-worker on descriptor 3."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dev import engine_build

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEIR_TEST_BUILD") or ROOT / "build" / "release")
TAP = BUILD / "worker" / "tap" / "weir-tap"
XCODE = BUILD / "worker" / "xcode" / "weir-xcode"
XCODE_FFMPEG = BUILD / "worker" / "xcode" / "cli" / "weir-xcode-ffmpeg"
# Which one the engine runs; the tests themselves take the one of PATH.
FFMPEG = os.environ.get("WEIR_TEST_FFMPEG") or shutil.which("ffmpeg") or ""
CAMERA = BUILD / "tests" / "camera" / "weir-testcamera"

TENANT = "0191a000-0000-7000-8000-000000000001"

ENGINE_CONF = """
logLevel: info
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
  - {{user: any, pass: '', ips: [], permissions: [{{action: api}}, {{action: read}}]}}
  - {{user: {user}, pass: {password}, ips: [], permissions: [{{action: publish}}]}}
paths: {{'~^live/.+$': {{useAbsoluteTimestamp: true}}}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, check: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"{what}: not within {seconds} s")


def children(pid: int, name: str) -> list[int]:
    """Of the process's first thread, those that run a program of this name (15 letters count)."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # it ended this moment
            if Path(f"/proc/{child}/comm").read_text().strip() == name[:15]:
                found.append(int(child))
    return found


def is_sanitized(program: Path) -> bool:
    """Such a program needs more of the kernel than a sandbox leaves it."""
    return b"__asan_init" in program.read_bytes()


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=20)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Engine:
    """One MediaMTX, as an engine slot runs it."""

    def __init__(self, folder: Path, variant: str = "fmp4") -> None:
        self.folder, self.variant = folder, variant
        self.secret, self.user, self.password = (secrets.token_hex(8) for _ in range(3))
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700)
        self.start()

    def start(self) -> None:
        self.port = free_port()
        shutil.rmtree(self.folder / "segments", ignore_errors=True)
        (self.folder / "segments").mkdir()
        conf = self.folder / "mediamtx.yml"
        conf.write_text(
            ENGINE_CONF.format(
                folder=self.folder,
                port=self.port,
                variant=self.variant,
                secret=self.secret,
                user=self.user,
                password=self.password,
            )
        )
        binary = engine_build.engine(self.folder / "build.log")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([binary, conf], stdout=log, stderr=log)
        wait_until("the engine's API", lambda: self.api("/v3/paths/list")[0] == 200)

    def kill(self, how: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def api(self, path: str) -> tuple[int, Any]:
        try:
            connection = UnixHttp(self.folder / "api.sock")
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if answer.status == 200 else None
        except OSError:
            return 0, None

    def hls(self, path: str, file: str) -> tuple[int, bytes]:
        connection = UnixHttp(self.folder / "hls.sock")
        connection.request(
            "GET", f"/{path}/{file}", headers={"Authorization": f"Bearer {self.secret}"}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()

    def playlist(self, path: str) -> str:
        """The media playlist of the video."""
        status, body = self.hls(path, "index.m3u8")
        assert status == 200, f"index.m3u8: {status}"
        index = body.decode()
        name = [line for line in index.splitlines() if line and not line.startswith("#")][0]
        status, body = self.hls(path, name)
        assert status == 200, f"{name}: {status}"
        return body.decode()

    def index(self, path: str) -> str:
        return self.hls(path, "index.m3u8")[1].decode()

    def logged(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


class Camera:
    """The test camera, with the faults it can be told to have."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.folder, self.options = folder, options
        self.port = port or free_port()
        self.control = folder / "fault"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def start(self, fault: str = "none") -> None:
        self.control.write_text(fault)
        argv = [str(CAMERA), "--port", str(self.port), "--control", str(self.control), *self.options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_until("the camera", listens)

    def fault(self, name: str) -> None:
        self.control.write_text(name)
        time.sleep(0.3)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Gate:
    """Listens before a camera, and serves each connection by a thread of its own. What `serve` needs is
    there before this class's __init__."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.listener = socket.create_server((host, 0))
        self.host, self.port = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"rtsp://{self.host}:{self.port}/cam"

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near: socket.socket) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Tap:
    """weir-tap, with this process on the other end of its descriptor 3."""

    def __init__(self, folder: Path, *before: str, **environment: str) -> None:
        """`before`: a command that ends in becoming the one behind it."""
        self.folder = folder
        folder.mkdir(exist_ok=True)
        ours, theirs = socket.socketpair()
        self.pipe = ours
        self.lines: list[dict[str, Any]] = []
        self.stats: dict[str, dict[str, Any]] = {}
        self.times: list[float] = []

        def on_three() -> None:
            os.dup2(theirs.fileno(), 3)

        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*before, str(TAP)],
                stdout=log,
                stderr=log,
                env={**os.environ, "WEIR_XCODE": str(XCODE), **environment},
                close_fds=False,
                preexec_fn=on_three,
            )
        theirs.close()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        with self.pipe.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if message["type"] == "tap.stats":
                    for row in message["cameras"]:
                        name = f"/{row['source']}" if "source" in row else ""
                        self.stats[row["camera_id"] + name] = row
                else:
                    self.times.append(time.monotonic())
                    self.lines.append(message)

    def tell(self, kind: str, **fields: Any) -> None:
        self.pipe.sendall(json.dumps({"type": kind, **fields}).encode() + b"\n")

    def camera(self, url: str, **fields: Any) -> str:
        camera_id = str(fields.pop("camera_id", uuid.uuid4()))
        settings = {
            "transport": "tcp",
            "ring_ms": 10000,
            "ring_bytes": 64 << 20,
            "allow_local": True,
            "tenant_id": TENANT,
            "networks": "public",
            "others": [],
        }
        self.tell("tap.camera", camera_id=camera_id, url=url, **{**settings, **fields})
        return camera_id

    def publish(
        self, camera_id: str, engine: Engine, stream_id: str = "", generation: int = 1, **profile: Any
    ) -> str:
        stream_id = stream_id or str(uuid.uuid4())
        path = f"live/{stream_id}/{generation}"
        self.tell(
            "tap.publish",
            camera_id=camera_id,
            stream_id=stream_id,
            generation=generation,
            rtsp_port=engine.port,
            path=path,
            username=engine.user,
            password=engine.password,
            api_socket=str(engine.folder / "api.sock"),
            segments=str(engine.folder / "segments" / path),
            **profile,
        )
        return path

    def await_line(self, kind: str, seconds: float = 20, since: int = 0, **fields: Any) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            for line in self.lines[since:]:
                if line["type"] == kind and all(line.get(k) == v for k, v in fields.items()):
                    return line
            return None

        try:
            return wait_until(f"{kind} {fields}", found, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; came: {self.lines[since:]}\n{self.logged()}") from None

    def logged(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def close(self) -> None:
        self.pipe.shutdown(socket.SHUT_RDWR)
        self.pipe.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()


# What a playlist says.


def durations(playlist: str) -> list[float]:
    return [float(d) for d in re.findall(r"#EXTINF:([0-9.]+)", playlist)]


def sequence(playlist: str) -> int:
    return int(re.findall(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", playlist)[0])


def dates(playlist: str) -> list[float]:
    texts = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", playlist)
    return [datetime.datetime.fromisoformat(t.replace("Z", "+00:00")).timestamp() for t in texts]


def segments(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


def init_of(playlist: str) -> str:
    return re.findall(r'#EXT-X-MAP:URI="([^"]+)"', playlist)[0]


def media_of(engine: Engine, path: str, playlist: str) -> bytes | None:
    """All that a playlist names; None when its window moved on before the last one was fetched."""
    data = b""
    for name in [init_of(playlist), *segments(playlist)]:
        status, body = engine.hls(path, name)
        if status == 404:
            return None
        assert status == 200, f"{name}: {status}"
        data += body
    return data


class Decoded:
    """A playlist of at least `n` segments, decoded by ffmpeg: luma pictures of 640x360, and what
    ffmpeg complained about."""

    def __init__(self, engine: Engine, path: str, folder: Path, n: int) -> None:
        def whole() -> tuple[str, bytes] | None:
            if engine.hls(path, "index.m3u8")[0] != 200:
                return None
            playlist = engine.playlist(path)
            data = media_of(engine, path, playlist) if len(segments(playlist)) >= n else None
            return (playlist, data) if data else None

        self.playlist, data = wait_until(f"{n} segments, whole", whole)
        media = folder / f"{uuid.uuid4().hex}.mp4"
        media.write_bytes(data)
        done = subprocess.run(
            ["ffmpeg", "-v", "warning", "-xerror", "-i", media, "-map", "0:v:0", "-fps_mode",
             "passthrough", "-enc_time_base", "-1", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
            capture_output=True,
            check=False,
        )  # fmt: skip
        self.complaints = done.stderr.decode()
        self.exit_code = done.returncode
        size = 640 * 360
        self.frames = [done.stdout[i : i + size] for i in range(0, len(done.stdout), size)]

    def stamp_ms(self, n: int, row: int = 8) -> int:
        """The 39 low bits of the UTC milliseconds that the camera drew (tests/camera/stamp.h)."""
        frame, cell = self.frames[n], 640 // 40
        bits = [frame[row * 640 + i * cell + cell // 2] > 128 for i in range(40)]
        assert sum(bits) % 2 == 0, "the stamp's parity"
        return int("".join("1" if b else "0" for b in bits[:39]), 2)
