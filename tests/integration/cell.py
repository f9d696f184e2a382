# SPDX-License-Identifier: Apache-2.0
"""A cell without api and workers: writes and reads its topics with kcat, runs schedulers, folds the
decision log in Python, from the contract alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from client import wait_for
from dev import topics

TENANT = "00000000-0000-4000-8000-00000000000a"


def now_ms() -> int:
    return int(time.time() * 1000)


def rfc3339(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms / 1000)) + f".{ms % 1000:03d}Z"


class Scheduler:
    def __init__(
        self,
        binary: Path,
        cell: "Cell",
        name: str,
        port: int,
        more: dict[str, str] | None = None,
    ) -> None:
        self.port = port
        self.log = cell.home / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(binary)],
                env={
                    **os.environ,
                    "WEIR_KAFKA": cell.kafka,
                    "WEIR_REDIS": cell.redis,
                    "WEIR_ADMIN_LISTEN": f"127.0.0.1:{port}",
                    "WEIR_SESSION_TIMEOUT_MS": "3000",
                    "WEIR_CHECKPOINT_DECISIONS": "20",
                    **(more or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as reply:
            return str(reply.read().decode())

    def metric(self, name: str) -> int:
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
        raise AssertionError(f"no metric {name}")

    def leads(self) -> bool:
        try:
            return self.metric("weir_scheduler_leader") == 1
        except OSError:
            return False

    def is_ready(self) -> bool:
        try:
            return "ok" in self.get("/readyz")
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


class Cell:
    """Partition 0 of the cell topics."""

    def __init__(self, home: Path, kafka: str, redis: str) -> None:
        self.home = home
        self.kafka = kafka
        self.redis = redis

    # ---- topics ----

    def write(self, topic: str, key: str, value: bytes | str, partition: int = 0) -> None:
        data = value.encode() if isinstance(value, str) else value
        subprocess.run(
            ["kcat", "-P", "-b", self.kafka, "-t", topic, "-p", str(partition), "-k", key,
             "-X", "acks=all", "-X", "message.timeout.ms=20000"],
            input=data, check=True, timeout=30, stderr=subprocess.DEVNULL,
        )

    def read(self, topic: str, partition: int | None = 0) -> list[tuple[int, str, str]]:
        """(offset, key, value) of everything kept; of all partitions without one."""
        text = topics.read(self.kafka, topic, "-f", "%o\t%k\t%s\n", partition=partition)
        rows = [line.split("\t", 2) for line in text.splitlines()]
        return [(int(row[0]), row[1], row[2]) for row in rows]

    def event(self, kind: str, key: str, data: dict[str, Any]) -> dict[str, Any]:
        body = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/weir/test/cell",
            "type": kind,
            "subject": key,
            "time": rfc3339(now_ms()),
            "datacontenttype": "application/json",
            "data": data,
        }
        topic = {"command": "commands", "fact": "facts", "heartbeat": "heartbeats",
                 "config": "config", "viewers": "viewers"}[kind.split(".")[0]]
        self.write(f"weir.{topic}.v1", key, json.dumps(body))
        return body

    # ---- wishes ----

    def start(self, stream: str, camera: str, command: str | None = None,
              expires_in_ms: int = 30000) -> str:
        command = command or str(uuid.uuid4())
        self.event("command.start", stream, {
            "command_id": command, "tenant_id": TENANT, "stream_id": stream, "camera_id": camera,
            "quality": "source", "fps": 0, "class": 1, "issued_at_ms": now_ms(),
            "expires_at_ms": now_ms() + expires_in_ms})
        return command

    def stop(self, stream: str, command: str | None = None) -> str:
        command = command or str(uuid.uuid4())
        self.event("command.stop", stream, {
            "command_id": command, "tenant_id": TENANT, "stream_id": stream,
            "reason": "stop_asked", "issued_at_ms": now_ms(), "expires_at_ms": now_ms() + 30000})
        return command

    def join(self, worker: str) -> None:
        self.event("fact.joined", worker, {
            "worker_id": worker, "boot_id": str(uuid.uuid4()),
            "origin_url": "http://127.0.0.1:9", "site": "", "version": "0.1.0",
            "capacity": {"cpu_milli": 400000, "mem_mib": 800000, "net_kbps": 100000000,
                         "gpu_permille": 0, "gpu_mem_mib": 0},
            "streams_max": 10000})

    def heartbeat(self, worker: str, ledger: "Ledger") -> None:
        row = ledger.workers[worker]
        streams = [
            {"stream_id": s, "tenant_id": TENANT, "generation": r["generation"], "state": "running"}
            for s, r in ledger.streams.items()
            if r.get("worker_id") == worker and r["state"] in ("placed", "starting", "running")
        ]
        self.event("heartbeat", worker, {
            "worker_id": worker, "incarnation": row["incarnation"], "seq": now_ms(),
            "log_offset": ledger.offset,
            "load": {"cpu_milli_used": 100, "cpu_milli_cap": 4000, "mem_mib_used": 100,
                     "mem_mib_cap": 8000, "net_kbps_used": 0, "net_kbps_cap": 1000000},
            "encoding": {"encoders": [
                {"encoder": "nvenc", "codec": "avc1", "state": "ready", "fps_720p": 300, "fps_1080p": 140,
                 "kpx_per_s": 112000, "sessions": 8, "kpx_per_s_used": 0, "sessions_used": 0}]},
            "streams": streams, "leases": []})

    def ledger(self) -> "Ledger":
        return Ledger(self.read("weir.decisions.v1"))

    def views(self) -> dict[str, dict[str, str]]:
        """What Redis holds of streams, and of how far that goes: id or "view" -> hash."""
        keys = self.redis_call("KEYS", "weir:0:stream:*").split()
        lines = "".join(f"HGETALL {key}\nECHO .\n" for key in [*keys, "weir:0:view"])
        parts = self.redis_call("--no-raw", input=lines).split('"."\n')
        found = {}
        for key, part in zip([*keys, "weir:0:view"], parts):
            texts = [json.loads(line.split(") ", 1)[1]) for line in part.splitlines() if ") " in line]
            found[key.rsplit(":", 1)[1]] = dict(zip(texts[::2], texts[1::2]))
        return found

    def views_are_whole(self) -> bool:
        """Redis says of every stream what the log says, and knows it."""
        ledger = self.ledger()
        views = self.views()
        view = views.pop("view")
        assert int(view.get("offset", -1)) == ledger.offset, (view, ledger.offset)
        for stream, row in ledger.streams.items():
            there = {name: views.get(stream, {}).get(name) for name in ("state", "generation")}
            assert there["state"] == row["state"], (stream, there, row)
            assert int(there["generation"] or 0) == row.get("generation", 0), (stream, there, row)
        return set(views) == set(ledger.streams)

    def redis_call(self, *args: str, input: str | None = None) -> str:
        url = urllib.parse.urlsplit(self.redis)
        done = subprocess.run(
            ["redis-cli", "-h", str(url.hostname), "-p", str(url.port), *args],
            env={**os.environ, "REDISCLI_AUTH": url.password or ""},
            check=True, timeout=10, capture_output=True, text=True, input=input,
        )
        return done.stdout.strip()


class Ledger:
    """The fold of a decision log by the rules of the design: newest takeover, one instance."""

    def __init__(self, records: list[tuple[int, str, str]]) -> None:
        self.streams: dict[str, dict[str, Any]] = {}
        self.workers: dict[str, dict[str, Any]] = {}
        self.leases: dict[str, dict[str, Any]] = {}
        self.commands: dict[str, list[dict[str, Any]]] = {}
        self.placements: dict[str, list[int]] = {}
        self.takeovers: list[int] = []
        self.n_void = 0
        self.offset = -1
        self.instance: str | None = None
        epoch = -1
        for offset, _key, value in records:
            decision = json.loads(value)["data"]
            self.instance = self.instance or decision["instance"]
            is_takeover = decision["kind"] == "takeover"
            if decision["instance"] != self.instance or (
                not is_takeover and decision["epoch"] != epoch
            ):
                self.n_void += 1
                continue
            if is_takeover:
                epoch = offset
                self.takeovers.append(offset)
            self.offset = offset
            self._apply(decision)

    def _apply(self, decision: dict[str, Any]) -> None:
        if "command_id" in decision:
            self.commands.setdefault(decision["command_id"], []).append(decision)
        for effect in decision["effects"]:
            rows, key = {
                "stream": (self.streams, "stream_id"),
                "worker": (self.workers, "worker_id"),
                "lease": (self.leases, "camera_id"),
            }[effect["entity"]]
            row = rows.setdefault(effect[key], {})
            assert row.get("state", "none") == effect.get("from", "none"), effect
            row.update(effect, state=effect["to"], offset=self.offset)
            if effect["entity"] == "lease" and effect["to"] == "none":
                del rows[effect[key]]
            if effect["entity"] == "stream" and effect["to"] == "placed":
                self.placements.setdefault(effect[key], []).append(effect["generation"])


def wait_for_leader(schedulers: list[Scheduler], seconds: float = 90) -> Scheduler:
    return wait_for(
        "a leader", lambda: next((s for s in schedulers if s.leads()), None), seconds=seconds
    )
