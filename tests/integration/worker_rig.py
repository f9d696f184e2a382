# SPDX-License-Identifier: Apache-2.0
"""weir-worker with real Kafka, engines, tap and a test camera: the tests play scheduler and api."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import signal
import subprocess
import threading
import time
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from client import Answer, fetch, wait_for
from conftest import ROOT, Dev
from dev import engine_build, topics
from faults.disk import SmallDisk
from tap_rig import segments, sequence

BUILD = Path(os.environ.get("WEIR_TEST_BUILD") or ROOT / "build" / "release")
PARTITION = "0"


def seal(public_key: bytes, text: str) -> str:
    sodium = ctypes.CDLL("libsodium.so.23")
    sodium.sodium_init()
    plain = text.encode()
    box = ctypes.create_string_buffer(len(plain) + 48)
    sodium.crypto_box_seal(box, plain, ctypes.c_ulonglong(len(plain)), public_key)
    return base64.urlsafe_b64encode(box.raw).decode().rstrip("=")


def sign(seed: bytes, text: str) -> str:
    """As the api signs what it keeps in Redis."""
    sodium = ctypes.CDLL("libsodium.so.23")
    sodium.sodium_init()
    public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    sodium.crypto_sign_seed_keypair(public, secret, seed)
    message = b"weir.source.v1\0" + text.encode()
    signature = ctypes.create_string_buffer(64)
    length = ctypes.c_ulonglong(len(message))
    sodium.crypto_sign_detached(signature, None, message, length, secret)
    return base64.urlsafe_b64encode(signature.raw).decode().rstrip("=") + "." + text


class Sources:
    """The api's internal route for cameras' addresses."""

    def __init__(self, public_key: bytes, secret: str) -> None:
        self.cameras: dict[str, dict[str, Any]] = {}
        self.asked = 0
        rig = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                rig.asked += 1
                camera = rig.cameras.get(self.path.split("?")[0].split("/")[4])
                if self.headers["Authorization"] != f"Bearer {secret}" or camera is None:
                    self.send_response(404)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                sealed = seal(public_key, json.dumps(camera))
                told = {name: camera[name] for name in ("tenant_id", "camera_id", "version")}
                told["exclusive"] = camera.get("exclusive", False)
                told["networks"] = camera.get("networks", "public")
                body = json.dumps({**told, "sealed": sealed}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Log:
    """A cell's topics, written and read by kcat."""

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers
        self.instance = str(uuid.uuid4())
        self.epoch = -1
        self.next_offset = 0

    def put(self, topic: str, kind: str, data: dict[str, Any]) -> None:
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/weir/scheduler/test",
            "type": kind,
            "subject": "0",
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "datacontenttype": "application/json",
            "data": data,
        }
        argv = ["kcat", "-P", "-b", self.brokers, "-t", topic, "-p", PARTITION, "-k", "0"]
        subprocess.run(argv, input=json.dumps(event).encode(), check=True, timeout=20)

    def decide(self, kind: str, reason: str, *effects: dict[str, Any]) -> None:
        data = {
            "instance": self.instance,
            "epoch": self.epoch,
            "cell": 0,
            "kind": kind,
            "outcome": "applied",
            "reason": reason,
            "at_ms": int(time.time() * 1000),
            "effects": list(effects),
        }
        self.put("weir.decisions.v1", "decision", data)
        if kind == "takeover":
            self.epoch = self.next_offset
        self.next_offset += 1

    def read(self, topic: str, offset: str = "beginning") -> list[tuple[int, dict[str, Any]]]:
        text = topics.read(self.brokers, topic, "-f", "%o %s\n", offset=offset)
        rows = [line.split(" ", 1) for line in text.splitlines()]
        return [(int(number), json.loads(text)) for number, text in rows]

    def fact(self, kind: str, after: int = -1, **fields: Any) -> tuple[int, dict[str, Any]] | None:
        for offset, event in self.read("weir.facts.v1"):
            data = event["data"]
            is_it = all(data.get(name) == value for name, value in fields.items())
            if offset > after and event["type"] == kind and is_it:
                return offset, data
        return None

    def wait_fact(self, kind: str, seconds: float = 15, after: int = -1, **fields: Any) -> Any:
        return wait_for(kind, lambda: self.fact(kind, after, **fields), seconds)

    def heartbeat(self) -> dict[str, Any]:
        return dict(self.read("weir.heartbeats.v1", "-1")[-1][1]["data"])


class Worker:
    def __init__(self, dev: Dev, log: Log, sources: Sources, folder: Path) -> None:
        self.worker_id = str(uuid.uuid4())
        self.log, self.folder = log, folder
        secrets = dev.home / "secrets"
        self.secret = (secrets / "origin-secret").read_text().split()[0]
        self.output = folder / "worker.log"
        self.segments = Path("/dev/shm") / f"weir-test-{self.worker_id}"
        self.disk = SmallDisk(self.segments, mebibytes=64)
        self.environment = {
            "WEIR_KAFKA": log.brokers,
            "WEIR_ADMIN_LISTEN": f"127.0.0.1:{dev.base + 41}",
            "WEIR_ORIGIN_LISTEN": "127.0.0.1:0",
            # The first api is away, always.
            "WEIR_API_INTERNAL_URL": f"http://127.0.0.1:1,{sources.url}",
            "WEIR_WORKER_SECRET_FILE": str(secrets / "worker-secret"),
            "WEIR_SEAL_PRIVATE_KEY_FILE": str(secrets / "seal.key"),
            "WEIR_REDIS_FILE": str(secrets / "redis-worker.url"),
            "WEIR_SOURCE_PUBLIC_KEYS_FILE": str(secrets / "source-sign.pub"),
            "WEIR_ORIGIN_SECRET_FILE": str(secrets / "origin-secret"),
            "WEIR_RUN_DIR": f"/tmp/weir-{self.worker_id[:13]}",
            "WEIR_SEGMENT_DIR": str(self.segments),
            "WEIR_SOURCE_ALLOW_LOCAL": "true",
            "WEIR_MEDIAMTX": str(engine_build.engine(folder / "engine.log")),
            "WEIR_TAP": str(BUILD / "worker/tap/weir-tap"),
            "WEIR_ORIGIN": str(BUILD / "worker/origin/weir-origin"),
            "WEIR_STILL": str(BUILD / "worker/still/weir-still"),
            "WEIR_DECODE": str(BUILD / "worker/decode/weir-decode"),
            "WEIR_XCODE": str(BUILD / "worker/xcode/weir-xcode"),
            "WEIR_XCODE_FFMPEG": str(BUILD / "worker/xcode/cli/weir-xcode-ffmpeg"),
            "WEIR_ENCPROBE": str(BUILD / "worker/xcode/weir-encprobe"),
            "WEIR_THIN_AT_PCT": "0",  # the machine is busy with tests
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.incarnation = -1

    def start(self) -> None:
        argv = [str(BUILD / "worker/weir-worker"), "--worker-id", self.worker_id]
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(argv, env=self.environment, stderr=out)

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()

    def children(self, name: str) -> list[int]:
        assert self.process
        argv = ["ps", "--ppid", str(self.process.pid), "-o", "pid=,comm="]
        lines = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        return [int(line.split()[0]) for line in lines.splitlines() if name in line]

    def kill(self, name: str) -> list[int]:
        pids = self.children(name)
        assert pids, f"no {name} to kill"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def take_in(
        self, joined: tuple[int, dict[str, Any]], before: str | None = None
    ) -> dict[str, Any]:
        """Writes what a scheduler writes after fact.joined; gives back the effect."""
        self.incarnation, fact = joined
        self.origin_url = fact["origin_url"]
        effect = {
            "entity": "worker",
            "worker_id": self.worker_id,
            "incarnation": self.incarnation,
            "boot_id": fact["boot_id"],
            "to": "ready",
            "reason": "worker_joined",
            "origin_url": fact["origin_url"],
            "site": "",
            "capacity": fact["capacity"],
            "streams_max": fact["streams_max"],
        }
        told = effect if before is None else {**effect, "from": before}
        self.log.decide("fact", "worker_joined", told)
        return effect

    def get(self, path: str) -> Answer:
        headers = {"Authorization": f"Bearer {self.secret}"}
        return fetch(f"{self.origin_url}{path}", headers=headers, timeout=12)


class Placed:
    """One stream of one camera on a worker, as the log sees it."""

    def __init__(self, worker: Worker, tenant_id: str, camera_id: str) -> None:
        self.worker = worker
        self.tenant_id, self.camera_id = tenant_id, camera_id
        self.stream_id = str(uuid.uuid4())
        self.generation = int(time.time())
        self.profile = {"quality": "source", "fps": 0, "class": 1}
        place = {"tenant_id": tenant_id, "camera_id": camera_id, "worker_id": worker.worker_id}
        place |= {"incarnation": worker.incarnation, "lease_generation": 1}
        self.lease = {"entity": "lease", **place}
        self.stream = {
            "entity": "stream",
            **place,
            "stream_id": self.stream_id,
            "generation": self.generation,
        }

    def place(self) -> None:
        profile = self.profile
        queued = {
            "entity": "stream",
            "tenant_id": self.tenant_id,
            "stream_id": self.stream_id,
            "camera_id": self.camera_id,
            **profile,
            "to": "queued",
            "reason": "start_asked",
        }
        when = {"seq_base": 0, "placed_at_ms": int(time.time() * 1000)}
        self.worker.log.decide(
            "command",
            "placed",
            {**self.lease, "from": "none", "to": "active", "reason": "lease_needed"},
            queued,
            {**self.stream, **profile, **when, "from": "queued", "to": "placed", "reason": "placed"},
        )

    def move(self, before: str, after: str, reason: str, *more: dict[str, Any]) -> None:
        effect = {**self.stream, "from": before, "to": after, "reason": reason}
        self.worker.log.decide("fact", reason, effect, *more)

    def move_lease(self, before: str, after: str, reason: str) -> None:
        effect = {**self.lease, "from": before, "to": after, "reason": reason}
        self.worker.log.decide("timer", reason, effect)

    def start(self) -> dict[str, Any]:
        log = self.worker.log
        self.place()
        log.wait_fact("fact.starting", stream_id=self.stream_id)
        self.move("placed", "starting", "starting")
        started = log.wait_fact("fact.started", stream_id=self.stream_id)[1]
        effective = {"effective": started["effective"]} if "effective" in started else {}
        self.stream |= effective
        self.move("starting", "running", "started")
        return dict(started)

    def media(self) -> tuple[int, str]:
        answer = self.worker.get(f"/{self.stream_id}/{self.generation}/video1_stream.m3u8")
        return answer.status, answer.body.decode(errors="replace")

    def playlist(self) -> tuple[int, int]:
        """HTTP status, and the number after the last segment; -1 without a playlist."""
        status, text = self.media()
        if status != 200:
            return status, -1
        return 200, sequence(text) + len(segments(text))

    def stop(self) -> None:
        """The stream and the lease, as a scheduler does."""
        self.move("running", "stopping", "stop_asked")
        self.worker.log.wait_fact("fact.exited", 10, stream_id=self.stream_id)
        self.move("stopping", "stopped", "stop_asked")
        self.move_lease("active", "releasing", "linger_over")
        self.worker.log.wait_fact("fact.lease_released", 10, camera_id=self.camera_id)
        self.move_lease("releasing", "none", "lease_released")
