# SPDX-License-Identifier: Apache-2.0
"""What a run wrote down, read for the checker. Missing evidence is a violation, never a pass."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos import fold, history

# lib/domain/id.c, weir_space_command: the id of a command is made of tenant and key.
COMMANDS = uuid.UUID("5d0e5b1c-0c1a-4d5e-9a52-776569720002")
FINAL = fold.FINAL

FILES = (
    "history.jsonl",
    "decisions.jsonl",
    "commands.jsonl",
    "facts.jsonl",
    "heartbeats.jsonl",
    "audit.jsonl",
    "audit_verify.json",
    "redis.json",
    "liveness.jsonl",
    "processes.json",
    "leftovers.json",
)


@dataclass
class Operation:
    """One wish of a client: all attempts with one key, and what it knows of it in the end."""

    op: int
    command_id: str
    verb: str
    client: str
    acks: int = 0
    maybes: int = 0
    outcomes: list[str] = field(default_factory=list)

    def name(self) -> str:
        return f"{self.verb} {self.command_id} (operation {self.op} of {self.client})"

    def add(self, line: Mapping[str, Any]) -> None:
        """A yes without a command: a start of what runs (200), a stop of what has ended."""
        self.outcomes.append(line["what"])
        is_plain = line["what"] == "ok"
        is_moot = is_plain and (line["status"] == 200 or line.get("state") in FINAL)
        if is_plain and not is_moot:
            self.acks += 1
        elif is_moot or line["what"] == "unknown":
            self.maybes += 1


@dataclass
class Evidence:
    folder: Path
    missing: list[str]
    history: list[dict[str, Any]]
    operations: list[Operation]
    log_raw: dict[int, str]
    ledger: fold.Ledger
    commands: list[tuple[int, dict[str, Any]]]
    facts: list[tuple[int, dict[str, Any]]]
    heartbeats: list[tuple[int, dict[str, Any]]]
    audit: list[dict[str, Any]]
    audit_verify: dict[str, Any]
    redis: dict[str, dict[str, str]]
    liveness: list[dict[str, Any]]
    processes: dict[str, Any]
    leftovers: dict[str, Any]


def operations_of(lines: list[dict[str, Any]]) -> list[Operation]:
    tenant = next((line["tenant_id"] for line in lines if line["what"] == "begin"), "")
    found: dict[int, Operation] = {}
    open_attempts: dict[tuple[int, int], bool] = {}
    for line in lines:
        if line["what"] not in ("invoke", "ok", "fail", "unknown"):
            continue
        at = (int(line["op"]), int(line["attempt"]))
        if line["what"] == "invoke":
            command = str(uuid.uuid5(COMMANDS, f"{tenant}|{line['key']}"))
            found.setdefault(at[0], Operation(at[0], command, line["verb"], line["client"]))
            open_attempts[at] = True
        else:
            found[at[0]].add(line)
            open_attempts[at] = False
    for (op, _), is_open in open_attempts.items():
        # The client was gone before it learned anything.
        found[op].maybes += int(is_open)
    return list(found.values())


def records(path: Path) -> list[tuple[int, str, dict[str, Any]]]:
    """(offset, raw text, the event whole) of each record that can be read."""
    found = []
    for row in history.read(path):
        try:
            event = json.loads(row["raw"] or "null")
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("data"), dict):
            found.append((int(row["offset"]), str(row["raw"]), event))
    return found


def events(path: Path) -> list[tuple[int, dict[str, Any]]]:
    return [(offset, event) for offset, _, event in records(path)]


def json_of(path: Path) -> Any:
    return json.loads(path.read_text()) if path.is_file() else {}


def load(folder: Path) -> Evidence:
    lines = history.read(folder / "history.jsonl")
    log = records(folder / "decisions.jsonl")
    return Evidence(
        folder=folder,
        missing=[name for name in FILES if not (folder / name).is_file()],
        history=lines,
        operations=operations_of(lines),
        log_raw={offset: raw for offset, raw, _ in log},
        ledger=fold.fold([(offset, event["data"]) for offset, _, event in log]),
        commands=events(folder / "commands.jsonl"),
        facts=events(folder / "facts.jsonl"),
        heartbeats=events(folder / "heartbeats.jsonl"),
        audit=history.read(folder / "audit.jsonl"),
        audit_verify=json_of(folder / "audit_verify.json"),
        redis=json_of(folder / "redis.json"),
        liveness=history.read(folder / "liveness.jsonl"),
        processes=json_of(folder / "processes.json"),
        leftovers=json_of(folder / "leftovers.json"),
    )
