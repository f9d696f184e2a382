# SPDX-License-Identifier: Apache-2.0
"""Judges a chaos run by what it wrote down: `python3 -m chaos.checker FOLDER`.

Every invariant below names each violation in one line; the exit code is 1 when there is any. The
checker talks to nothing that ran, so that a folder can be judged again, and a planted defect is found
by the same code (tests/tools/test_chaos_checker.py).
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chaos import evidence, fold
from chaos.evidence import Evidence
from chaos.fold import Decision

# A daemon that ran through faults may hold a few connections more than a fresh one, never many.
DESCRIPTORS_MORE = 24
DESCRIPTORS_MORE_GATEWAY = 96
# Files of its cache that nginx keeps open (`open_file_cache` in nginx.conf.in), two processes.
CACHED_MORE = 4096
CHILDREN_MORE = 1
SHOWN = 5

Invariant = Callable[[Evidence], Iterator[str]]


def everything_was_written_down(of: Evidence) -> Iterator[str]:
    yield from (f"{name} is missing" for name in of.missing)
    if not of.log_raw:
        yield "the decision log is empty"
    planned = {line["n"] for line in of.history if line["what"] == "planned"}
    begun = {line["n"] for line in of.history if line["what"] == "fault"}
    yield from (f"fault {n} was planned and never happened" for n in sorted(planned - begun))


def by_command(of: Evidence) -> dict[str, list[Decision]]:
    found: dict[str, list[Decision]] = defaultdict(list)
    for decision in of.ledger.decisions:
        if "command_id" in decision.data and not decision.is_void:
            found[decision.data["command_id"]].append(decision)
    return found


def an_acknowledged_command_is_decided_exactly_once(of: Evidence) -> Iterator[str]:
    """A command that reached the scheduler after its deadline is decided by that refusal."""
    decided = by_command(of)
    for operation in of.operations:
        if not operation.acks:
            continue
        decisions = decided.get(operation.command_id, [])
        if not decisions:
            yield f"{operation.name()} was acknowledged and is not in the decision log"
        elif all(decision.data["reason"] == "duplicate" for decision in decisions):
            yield f"{operation.name()} is in the decision log as a repeat of nothing"


def no_command_is_done_twice(of: Evidence) -> Iterator[str]:
    for command_id, decisions in by_command(of).items():
        settled = [decision.offset for decision in decisions if decision.settles]
        if len(settled) > 1:
            yield f"command {command_id} was decided {len(settled)} times, at offsets {settled}"


def a_refused_command_is_nowhere(of: Evidence) -> Iterator[str]:
    sent = {event["data"].get("command_id") for _, event in of.commands}
    decided = by_command(of)
    for operation in of.operations:
        if operation.acks or operation.maybes:
            continue
        if operation.command_id in sent or operation.command_id in decided:
            yield f"{operation.name()} was refused to the client, and yet sent"


def every_command_was_asked_for(of: Evidence) -> Iterator[str]:
    asked = {operation.command_id for operation in of.operations}
    for offset, event in of.commands:
        is_client = event["type"].endswith(("command.start", "command.stop"))
        if is_client and event["data"]["command_id"] not in asked:
            yield f"commands.v1 offset {offset}: no client asked for {event['data']['command_id']}"


def every_command_record_gets_one_decision(of: Evidence) -> Iterator[str]:
    causes = Counter(
        decision.data["cause_offset"]
        for decision in of.ledger.decisions
        if not decision.is_void and decision.data.get("cause_topic") == "weir.commands.v1"
    )
    for offset, _ in of.commands:
        if causes[offset] != 1:
            yield f"commands.v1 offset {offset} has {causes[offset]} decisions"


def the_audit_is_the_log(of: Evidence) -> Iterator[str]:
    """Every decision once, byte for byte, with the right verdict."""
    held = Counter(row["offset"] for row in of.audit)
    raw = {row["offset"]: row for row in of.audit}
    for decision in of.ledger.decisions:
        offset = decision.offset
        if held[offset] != 1:
            yield f"decision {offset} is {held[offset]} times in the audit"
            continue
        verdict = "void" if decision.is_void else "valid"
        if raw[offset]["verdict"] != verdict:
            yield f"decision {offset} is {verdict}, the audit says {raw[offset]['verdict']}"
        if raw[offset]["raw"] != of.log_raw[offset]:
            yield f"decision {offset} has other bytes in the audit than in the log"
    # What was decided after the log was dumped is in the audit already.
    end = max(of.log_raw, default=-1)
    yield from (
        f"the audit has a decision {offset} that the log has not"
        for offset in sorted(set(held) - set(of.log_raw))
        if offset <= end
    )


def the_audits_chain_is_whole(of: Evidence) -> Iterator[str]:
    if of.audit_verify.get("exit_code") != 0:
        yield f"weirctl audit verify: {str(of.audit_verify.get('output', ''))[-300:].strip()}"


def the_log_contradicts_itself_nowhere(of: Evidence) -> Iterator[str]:
    yield from (problem for problem in of.ledger.problems if "generation" not in problem)


def generations_only_rise(of: Evidence) -> Iterator[str]:
    yield from (problem for problem in of.ledger.problems if "generation" in problem)


def runs(of: Evidence) -> Iterator[tuple[str, str, int, str, int]]:
    """(where told, stream, generation, worker, incarnation) of everything that workers ran."""
    for offset, event in of.heartbeats:
        beat = event["data"]
        for stream in beat["streams"]:
            where = f"heartbeat {offset}"
            yield (
                where, stream["stream_id"], stream["generation"],
                beat["worker_id"], beat["incarnation"],
            )  # fmt: skip
    for offset, event in of.facts:
        fact = event["data"]
        if event["type"].endswith(("fact.starting", "fact.started")):
            yield (
                f"fact {offset}", fact["stream_id"], fact["generation"],
                fact["worker_id"], fact["incarnation"],
            )  # fmt: skip


def one_worker_runs_a_generation(of: Evidence) -> Iterator[str]:
    """And it is the one that a valid decision gave it to: so never two run the newest."""
    told: set[tuple[str, int, str, int]] = set()
    for where, stream, generation, worker, incarnation in runs(of):
        placed = of.ledger.placements.get((stream, generation), [])
        if any(p.worker == worker and p.incarnation == incarnation for p in placed):
            continue
        key = (stream, generation, worker, incarnation)
        if key not in told:
            told.add(key)
            whose = f"placed on {placed[0].worker}/{placed[0].incarnation}" if placed else "nobody's"
            yield (
                f"{where}: worker {worker}/{incarnation} runs stream {stream} generation "
                f"{generation}, which is {whose}"
            )


def at_the_end_nobody_runs_what_is_not_his(of: Evidence) -> Iterator[str]:
    last: dict[str, dict[str, Any]] = {}
    for _, event in of.heartbeats:
        last[event["data"]["worker_id"]] = event["data"]
    for worker, beat in last.items():
        for stream in beat["streams"]:
            row = of.ledger.streams.get(stream["stream_id"], {})
            if row.get("worker_id") != worker or row.get("generation") != stream["generation"]:
                yield f"worker {worker} still runs {stream['stream_id']} at the end"


def redis_is_a_replay_of_the_log(of: Evidence) -> Iterator[str]:
    wanted = {
        **{f"weir:0:stream:{key}": fold.stream_view(row) for key, row in of.ledger.streams.items()},
        **{f"weir:0:worker:{key}": fold.worker_view(row) for key, row in of.ledger.workers.items()},
    }
    there = {key: row for key, row in of.redis.items() if key.startswith(("weir:0:s", "weir:0:w"))}
    for key, row in wanted.items():
        seen = there.get(key)
        if seen is None:
            yield f"Redis lacks {key}"
            continue
        for name, value in row.items():
            if seen.get(name, "") != value:
                yield f"Redis {key} has {name}={seen.get(name)!r}, the log says {value!r}"
    yield from (f"Redis has {key}, the log has not" for key in sorted(set(there) - set(wanted)))
    view = of.redis.get("weir:0:view", {})
    if int(view.get("epoch", -1)) != of.ledger.epoch:
        yield f"Redis is of epoch {view.get('epoch')}, the log of {of.ledger.epoch}"


def no_viewer_saw_a_sequence_go_back(of: Evidence) -> Iterator[str]:
    seen: dict[tuple[int, str], dict[str, Any]] = {}
    for line in of.history:
        if line["what"] != "seen":
            continue
        before = seen.get((line["page"], line["stream"]))
        seen[line["page"], line["stream"]] = line
        for name in ("sequence", "last", "discontinuity"):
            if before is not None and line[name] < before[name]:
                yield (
                    f"{line['client']} saw stream {line['stream']} go back at {line['t']} s: {name} "
                    f"{before[name]} (generation {before['generation']}) -> {line[name]} "
                    f"(generation {line['generation']})"
                )
                break


def every_process_is_well_after_the_faults(of: Evidence) -> Iterator[str]:
    for line in of.history:
        if line["what"] == "unwell":
            yield f"{line['process']} is not ready, two minutes after everything was mended"


def everything_wanted_plays_at_the_end(of: Evidence) -> Iterator[str]:
    if not of.liveness:
        yield "nothing was wanted at the end"
    for row in of.liveness:
        if row["running_after_s"] is None:
            yield (
                f"stream {row['stream']} of {row['camera']} does not run after the faults: "
                f"{row['state']} ({row['reason']})"
            )
        elif row["moved_after_s"] is None:
            yield f"stream {row['stream']} of {row['camera']} runs, but its playlist stands still"


def no_process_and_no_file_is_left(of: Evidence) -> Iterator[str]:
    for row in of.leftovers.get("processes", []):
        yield f"after down, pid {row['pid']} is left: {row['argv'][:120]!r}"
    for place, files in of.leftovers.get("files", {}).items():
        if files:
            yield f"after down, {len(files)} files are left in {place}: {', '.join(files[:3])}"
    for path in of.leftovers.get("temporary", []):
        yield f"after down, the temporary file {path} is left"


def no_descriptor_and_no_child_is_left(of: Evidence) -> Iterator[str]:
    """Once nothing is watched any more, each process holds about what it held at the start."""
    start, end = of.processes.get("start", {}), of.processes.get("end", {})
    for name, before in start.items():
        after = end.get(name)
        if after is None or before is None:
            yield f"{name} does not run at the end"
            continue
        most = DESCRIPTORS_MORE_GATEWAY if name == "gateway" else DESCRIPTORS_MORE
        for kind, count in after["descriptors"].items():
            more = CACHED_MORE if kind == "cached" else most
            if count > before["descriptors"].get(kind, 0) + more:
                had = before["descriptors"].get(kind, 0)
                yield f"{name} has {count} descriptors of kind {kind}, it began with {had}"
        for program, count in after["children"].items():
            if count > before["children"].get(program, 0) + CHILDREN_MORE:
                had = before["children"].get(program, 0)
                yield f"{name} has {count} children {program}, it began with {had}"


INVARIANTS: tuple[Invariant, ...] = (
    everything_was_written_down,
    an_acknowledged_command_is_decided_exactly_once,
    no_command_is_done_twice,
    a_refused_command_is_nowhere,
    every_command_was_asked_for,
    every_command_record_gets_one_decision,
    the_audit_is_the_log,
    the_audits_chain_is_whole,
    the_log_contradicts_itself_nowhere,
    generations_only_rise,
    one_worker_runs_a_generation,
    at_the_end_nobody_runs_what_is_not_his,
    redis_is_a_replay_of_the_log,
    no_viewer_saw_a_sequence_go_back,
    every_process_is_well_after_the_faults,
    everything_wanted_plays_at_the_end,
    no_process_and_no_file_is_left,
    no_descriptor_and_no_child_is_left,
)


def check(folder: Path) -> dict[str, list[str]]:
    """Each invariant's name with its violations."""
    of = evidence.load(folder)
    return {invariant.__name__: list(invariant(of)) for invariant in INVARIANTS}


def report(found: dict[str, list[str]]) -> int:
    """Prints one line an invariant and the first violations; the number of broken invariants."""
    for name, violations in found.items():
        sentence = name.replace("_", " ")
        print(f"  {'VIOLATED' if violations else 'holds   '}  {sentence}")
        for line in violations[:SHOWN]:
            print(f"            {line}")
        if len(violations) > SHOWN:
            print(f"            ... and {len(violations) - SHOWN} more")
    return sum(1 for violations in found.values() if violations)


def main() -> int:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("usage: python3 -m chaos.checker FOLDER", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    found = check(folder)
    (folder / "verdict.json").write_text(json.dumps(found, indent=1))
    return 1 if report(found) else 0


if __name__ == "__main__":
    sys.exit(main())
