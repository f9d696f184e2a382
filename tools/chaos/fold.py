# SPDX-License-Identifier: Apache-2.0
"""Folds a decision log as lib/domain/ledger.c does, written anew: two who agree are rarely wrong.

Only what views and invariants need is kept of a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ZERO = ""
FINAL = {"stopped", "rejected", "expired", "cancelled", "failed"}
PLACED = {
    "placed", "starting", "running", "backoff", "suspect", "migrating", "preempting", "stopping",
}  # fmt: skip
GONE = {"dead", "left"}


@dataclass
class Decision:
    offset: int
    data: Mapping[str, Any]
    is_void: bool

    @property
    def effects(self) -> Sequence[Mapping[str, Any]]:
        return list(self.data.get("effects", []))

    @property
    def settles(self) -> bool:
        """Whether it is the decision about its command: no repeat, no deadline that had passed."""
        return not self.is_void and self.data["reason"] not in ("duplicate", "expired")


@dataclass
class Placement:
    """One generation of a stream: who may run it."""

    offset: int
    worker: str
    incarnation: int


@dataclass
class Ledger:
    decisions: list[Decision] = field(default_factory=list)
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)
    workers: dict[str, dict[str, Any]] = field(default_factory=dict)
    leases: dict[str, dict[str, Any]] = field(default_factory=dict)
    # (stream, generation) -> every placement of that number; more than one is a defect.
    placements: dict[tuple[str, int], list[Placement]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    epoch: int = -1


def judge(log: Sequence[tuple[int, Mapping[str, Any]]]) -> list[Decision]:
    """Which records count: of the log's instance, and of the newest takeover before them."""
    instance = None
    epoch = -1
    found = []
    for offset, data in log:
        if data["kind"] == "takeover":
            instance = instance or data["instance"]
            is_valid = data["instance"] == instance
            epoch = offset if is_valid else epoch
        else:
            is_valid = data["instance"] == instance and data["epoch"] == epoch
        found.append(Decision(offset, data, not is_valid))
    return found


def fold(log: Sequence[tuple[int, Mapping[str, Any]]]) -> Ledger:
    ledger = Ledger(decisions=judge(log))
    for decision in ledger.decisions:
        if decision.is_void:
            continue
        if decision.data["kind"] == "takeover":
            ledger.epoch = decision.offset
        for effect in decision.effects:
            apply(ledger, decision, effect)
    return ledger


def apply(ledger: Ledger, decision: Decision, effect: Mapping[str, Any]) -> None:
    entity = effect["entity"]
    rows, key = {
        "stream": (ledger.streams, effect.get("stream_id")),
        "worker": (ledger.workers, effect.get("worker_id")),
        "lease": (ledger.leases, effect.get("camera_id")),
    }[entity]
    row = rows.get(str(key))
    before = row["state"] if row else "none"
    told = effect.get("from", "none")
    if told != before:
        ledger.problems.append(
            f"decision {decision.offset}: {entity} {key} comes from {told}, but it is {before}"
        )
    row = rows.setdefault(str(key), {})
    if entity == "stream":
        set_stream(ledger, row, decision, effect)
    elif entity == "worker":
        set_fields(row, effect, ("incarnation", "origin_url", "site", "streams_max", "capacity"))
        row["since_ms"] = decision.data["at_ms"]
    row.update(state=effect["to"], reason=effect["reason"], version=decision.offset)
    if entity == "lease" and effect["to"] == "none":
        del rows[str(key)]


def set_fields(row: dict[str, Any], effect: Mapping[str, Any], names: Sequence[str]) -> None:
    row.update({name: effect[name] for name in names if name in effect})


def set_stream(
    ledger: Ledger, row: dict[str, Any], decision: Decision, effect: Mapping[str, Any]
) -> None:
    known = row.get("generation", 0), (row.get("second") or {}).get("generation", 0)
    set_fields(row, effect, ("tenant_id", "camera_id", "quality", "fps", "generation"))
    set_fields(row, effect, ("worker_id", "incarnation", "seq_base", "placed_at_ms"))
    row["second"] = effect.get("second")
    row["changed_at_ms"] = decision.data["at_ms"]
    row["detail"] = effect.get("detail", "")
    stream = str(effect["stream_id"])
    if "generation" in effect and effect["generation"] not in known:
        place(ledger, stream, decision, row)
    if row["second"] and row["second"]["generation"] not in known:
        place(ledger, stream, decision, row["second"])
    if effect["to"] not in PLACED or not row.get("worker_id"):
        row.update(worker_id=ZERO, incarnation=0, second=None)


def place(ledger: Ledger, stream: str, decision: Decision, where: Mapping[str, Any]) -> None:
    generation = int(where["generation"])
    made = Placement(decision.offset, str(where["worker_id"]), int(where["incarnation"]))
    ledger.placements.setdefault((stream, generation), []).append(made)
    newer = [g for s, g in ledger.placements if s == stream and g > generation]
    if newer or len(ledger.placements[stream, generation]) > 1:
        newest = max(newer, default=generation)
        ledger.problems.append(
            f"decision {decision.offset}: stream {stream} gets generation {generation}, "
            f"it had {newest} already"
        )


def stream_view(row: Mapping[str, Any]) -> dict[str, str]:
    """What Redis says of a stream (scheduler/views.h)."""
    return {
        "state": row["state"],
        "reason": row["reason"],
        "detail": row.get("detail", ""),
        "tenant_id": row.get("tenant_id", ""),
        "camera_id": row.get("camera_id", ""),
        "quality": row.get("quality", "source"),
        "fps": str(row.get("fps", 0)),
        "worker_id": row.get("worker_id", ""),
        "incarnation": str(row.get("incarnation", 0)),
        "generation": str(row.get("generation", 0)),
        "changed_at_ms": str(row["changed_at_ms"]),
        "offset": str(row["version"]),
    }


def worker_view(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "state": row["state"],
        "reason": row["reason"],
        "incarnation": str(row["incarnation"]),
        "origin_url": row.get("origin_url", ""),
        "site": row.get("site", ""),
        "streams_max": str(row.get("streams_max", 0)),
        "since_ms": str(row["since_ms"]),
        "offset": str(row["version"]),
    }
