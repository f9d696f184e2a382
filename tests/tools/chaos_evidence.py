# SPDX-License-Identifier: Apache-2.0
"""The evidence of a small chaos run in which all is well, to plant one defect at a time in."""

from __future__ import annotations

import copy
import json
import uuid
from pathlib import Path
from typing import Any

from chaos import evidence, fold

TENANT = "11111111-0000-4000-8000-000000000001"
CAMERA = "22222222-0000-4000-8000-000000000001"
STREAM = "33333333-0000-4000-8000-000000000001"
INSTANCE = "44444444-0000-4000-8000-000000000001"
WORKERS = ("55555555-0000-4000-8000-000000000000", "55555555-0000-4000-8000-000000000001")
KEYS = {"start": "key-of-the-start", "stop": "key-of-the-stop", "lost": "key-of-what-was-lost"}
T0_MS = 1_700_000_000_000


def command_id(name: str) -> str:
    return str(uuid.uuid5(evidence.COMMANDS, f"{TENANT}|{KEYS[name]}"))


def envelope(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"specversion": "1.0", "type": f"weir.{kind}", "data": data}


class Log:
    """A decision log, appended to as a scheduler would."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.epoch = -1

    def add(self, kind: str, reason: str, *effects: dict[str, Any], **more: Any) -> int:
        offset = len(self.events)
        if kind == "takeover":
            self.epoch = offset
        data = {
            "instance": INSTANCE, "epoch": -1 if kind == "takeover" else self.epoch, "cell": 0,
            "kind": kind, "outcome": "applied" if effects else "noop", "reason": reason,
            "at_ms": T0_MS + 1000 * offset, "effects": list(effects), **more,
        }  # fmt: skip
        self.events.append(envelope("decision", data))
        return offset


def joined(worker: str, incarnation: int) -> dict[str, Any]:
    return {
        "entity": "worker", "worker_id": worker, "incarnation": incarnation, "to": "ready",
        "reason": "worker_joined", "boot_id": INSTANCE, "origin_url": f"http://{worker}",
        "streams_max": 8,
    }  # fmt: skip


def moved(before: str, to: str, **more: Any) -> dict[str, Any]:
    effect = {"entity": "stream", "stream_id": STREAM, "from": before, "to": to, "reason": to}
    return {**effect, **more}


def placed(before: str, worker: int, generation: int, incarnation: int) -> dict[str, Any]:
    return moved(
        before, "placed", worker_id=WORKERS[worker], incarnation=incarnation, generation=generation
    )


class Good:
    """All evidence as Python values; `write` makes the folder that the checker reads.

    The stream is started, its worker dies, it plays on from the other one, it is stopped, under a
    second leader; the first one, which was paused, writes one more record that nobody follows.
    """

    def __init__(self) -> None:
        log = Log()
        log.add("takeover", "takeover")
        log.add("fact", "worker_joined", joined(WORKERS[0], 5))
        log.add("fact", "worker_joined", joined(WORKERS[1], 6))
        queued = moved("none", "queued", tenant_id=TENANT, camera_id=CAMERA, quality="source")
        start = {"cause_topic": "weir.commands.v1", "command_id": command_id("start")}
        log.add(
            "command", "start_asked", queued, placed("queued", 0, 100, 5), cause_offset=0, **start
        )
        log.add("fact", "started", moved("placed", "running"))
        old = log.epoch
        log.add("takeover", "takeover")
        log.add("heartbeat", "late", moved("running", "backoff"), epoch=old)
        log.add("timer", "worker_dead", moved("running", "queued"), placed("queued", 1, 107, 6))
        log.add("fact", "started", moved("placed", "running"))
        log.add("command", "duplicate", cause_offset=1, **start)
        stop = {"cause_topic": "weir.commands.v1", "command_id": command_id("stop")}
        log.add("command", "stop_asked", moved("running", "stopping"), cause_offset=2, **stop)
        log.add("fact", "stopped", moved("stopping", "stopped"))
        self.decisions = log.events
        self.commands = [
            envelope("command.start", {"command_id": command_id("start")}),
            envelope("command.start", {"command_id": command_id("start")}),
            envelope("command.stop", {"command_id": command_id("stop")}),
        ]
        self.facts = [self.ran("fact.started", 0, 100, 5), self.ran("fact.started", 1, 107, 6)]
        self.heartbeats = [self.beat(0, 5, 100), self.beat(1, 6, 107), self.beat(0, 5), self.beat(1, 6)]
        self.history = self.told()
        self.audit: list[dict[str, Any]] = []
        self.audit_again()
        self.audit_verify = {"exit_code": 0, "output": "whole"}
        row = {"camera": "cam0", "stream": STREAM, "state": "running", "reason": "started"}
        self.liveness = [{**row, "running_after_s": 1.0, "moved_after_s": 2.0}]
        process = {"descriptors": {"socket": 10}, "children": {"weir-tap": 1}, "rss_bytes": 1}
        self.processes = {"start": {"worker-0": process}, "end": {"worker-0": copy.deepcopy(process)}}
        self.leftovers: dict[str, Any] = {
            "processes": [], "files": {"run": [], "segments": []}, "temporary": [],
        }  # fmt: skip

    def audit_again(self) -> None:
        """The audit, and the views, of the log as it is now."""
        self.audit = [
            {"offset": offset, "verdict": "void" if offset == 6 else "valid", "raw": json.dumps(event)}
            for offset, event in enumerate(self.decisions)
        ]
        self.redis = self.views()

    @staticmethod
    def ran(kind: str, worker: int, generation: int, incarnation: int) -> dict[str, Any]:
        where = {"worker_id": WORKERS[worker], "incarnation": incarnation}
        return envelope(kind, {**where, "stream_id": STREAM, "generation": generation})

    @staticmethod
    def beat(worker: int, incarnation: int, *generations: int) -> dict[str, Any]:
        streams = [{"stream_id": STREAM, "generation": generation} for generation in generations]
        where = {"worker_id": WORKERS[worker], "incarnation": incarnation}
        return envelope("heartbeat", {**where, "streams": streams})

    def told(self) -> list[dict[str, Any]]:
        def attempt(op: int, n: int, name: str, what: str, status: int) -> list[dict[str, Any]]:
            of = {"op": op, "attempt": n, "client": "c"}
            verb = "stop" if name == "stop" else "start"
            asked = {"what": "invoke", **of, "verb": verb, "key": KEYS[name], "about": CAMERA}
            return [asked, {"what": what, **of, "status": status, "state": "queued"}]

        seen = {"what": "seen", "t": 1.0, "client": "c", "page": 1, "stream": STREAM, "discontinuity": 0}
        return [
            {"what": "begin", "tenant_id": TENANT, "seed": 1},
            {"what": "planned", "n": 0, "kind": "kill"},
            *attempt(1, 1, "start", "unknown", 503),
            *attempt(1, 2, "start", "ok", 202),
            {"what": "fault", "n": 0, "kind": "kill"},
            *attempt(2, 1, "lost", "fail", 429),
            *attempt(3, 1, "stop", "ok", 202),
            {**seen, "generation": 100, "sequence": 5, "last": 8},
            {**seen, "generation": 107, "sequence": 90, "last": 92, "discontinuity": 1},
        ]

    def views(self) -> dict[str, dict[str, str]]:
        log = [(offset, event["data"]) for offset, event in enumerate(self.decisions)]
        ledger = fold.fold(log)
        return {
            f"weir:0:stream:{STREAM}": fold.stream_view(ledger.streams[STREAM]),
            **{
                f"weir:0:worker:{key}": fold.worker_view(row) for key, row in ledger.workers.items()
            },
            "weir:0:view": {"epoch": str(ledger.epoch), "offset": str(len(log) - 1)},
        }

    def write(self, folder: Path) -> Path:
        def lines(name: str, rows: list[Any]) -> None:
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(text)

        for name in ("decisions", "commands", "facts", "heartbeats"):
            records = enumerate(getattr(self, name))
            rows = [{"offset": n, "ts": 0, "raw": json.dumps(event)} for n, event in records]
            lines(name, rows)
        for name in ("history", "audit", "liveness"):
            lines(name, getattr(self, name))
        for name in ("audit_verify", "redis", "processes", "leftovers"):
            (folder / f"{name}.json").write_text(json.dumps(getattr(self, name)))
        return folder
