# SPDX-License-Identifier: Apache-2.0
"""After the faults: what Kafka, Postgres, Redis and the kernel say, written down for the checker."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dev import build, keeper, keys, services, topics
from dev.instance import Instance
from faults import processes

TOPICS = {
    "decisions": "weir.decisions.v1",
    "commands": "weir.commands.v1",
    "facts": "weir.facts.v1",
    "heartbeats": "weir.heartbeats.v1",
}
AUDIT_SQL = """
SELECT json_build_object('offset', off, 'verdict', verdict, 'raw', convert_from(raw, 'UTF8'))
FROM audit_record WHERE topic = 'weir.decisions.v1' AND part = 0 ORDER BY off
"""
CELL = 0
QUIET_S = 60.0


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    with path.open("w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def records(instance: Instance, topic: str) -> list[dict[str, Any]]:
    """All records of the cell's partition: offset, ts, key, and the value as its exact text."""
    text = topics.read(instance.address("kafka"), topic, "-J", partition=CELL, timeout_s=120)
    found = []
    for line in text.splitlines():
        row = json.loads(line)
        found.append({"offset": row["offset"], "ts": row["ts"], "raw": row["payload"]})
    return found


def redis_call(instance: Instance, *command: str) -> str:
    """What Redis answers, as JSON. The password travels in the environment, never in argv."""
    argv = ["redis-cli", "--json", "-p", str(instance.port("redis")), *command]
    environment = {**os.environ, "REDISCLI_AUTH": keys.read(instance, "redis-password")}
    done = subprocess.run(argv, env=environment, capture_output=True, check=True, timeout=30)
    return done.stdout.decode()


def redis_rows(instance: Instance) -> dict[str, dict[str, str]]:
    """Every hash of the cell's views by key: streams, workers, and `view` itself."""
    keys = json.loads(redis_call(instance, "KEYS", f"weir:{CELL}:*"))
    wanted = [key for key in keys if not key.endswith(":scores")]
    return {
        key: json.loads(redis_call(instance, "HGETALL", key)) for key in sorted(wanted) if key
    }


def decided(log: Iterable[dict[str, Any]]) -> set[int]:
    """The offsets of the commands that the log answers."""
    found = [json.loads(row["raw"])["data"] for row in log]
    return {data["cause_offset"] for data in found if data.get("cause_topic") == TOPICS["commands"]}


def logs_and_views(instance: Instance, folder: Path) -> None:
    """What was wished and told, then a dump of Redis and one of the decision log that belong together:
    no decision came in between, and none on what was dumped before is missing."""
    told = {name: records(instance, TOPICS[name]) for name in ("commands", "facts", "heartbeats")}
    for name, found in told.items():
        write_lines(folder / f"{name}.jsonl", found)
    wished = {row["offset"] for row in told["commands"]}
    deadline = time.monotonic() + QUIET_S
    while True:
        rows = redis_rows(instance)
        log = records(instance, TOPICS["decisions"])
        at = int(rows.get(f"weir:{CELL}:view", {}).get("offset", -1))
        if log and at == log[-1]["offset"] and wished <= decided(log):
            break
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    (folder / "redis.json").write_text(json.dumps(rows, indent=1))
    write_lines(folder / "decisions.jsonl", log)


def audit(instance: Instance, folder: Path, last_offset: int) -> None:
    """The record in Postgres, once it holds the decision log up to `last_offset`."""

    def is_there() -> bool:
        text = "SELECT next_off FROM audit_offset WHERE topic = 'weir.decisions.v1' AND part = 0"
        found = services.sql(instance, text).strip()
        return found.isdigit() and int(found) > last_offset

    wait_for(is_there, QUIET_S)
    rows = services.sql(instance, AUDIT_SQL).splitlines()
    (folder / "audit.jsonl").write_text("".join(f"{row}\n" for row in rows if row))
    done = subprocess.run(
        [str(build.binary("weirctl")), "audit", "verify"],
        env={**os.environ, "WEIR_POSTGRES": services.postgres_url(instance, "postgres")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    told = {"exit_code": done.returncode, "output": (done.stdout + done.stderr)[-4000:]}
    (folder / "audit_verify.json").write_text(json.dumps(told))


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time. What cannot be asked just now is not true yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return True
        except (OSError, ValueError, RuntimeError, subprocess.SubprocessError):
            pass
        time.sleep(0.3)
    return False


# ---- processes ----


def descriptors(pid: int, cache: Path) -> Counter[str]:
    """How many of each kind: sockets, pipes, files, files of the gateway's cache in memory ..."""
    found: Counter[str] = Counter()
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(entry.path)
            except OSError:
                continue
            kind = target.split(":", 1)[0] if ":" in target and target[0] != "/" else "file"
            found["cached" if Path(target).is_relative_to(cache) else kind] += 1
    except OSError:
        return found
    return found


def process_list(instance: Instance) -> dict[str, Any]:
    """Per process of the instance, children included: descriptors and memory; children by program."""
    found: dict[str, Any] = {}
    for name in keeper.names(instance):
        process = keeper.running(instance, name)
        if process is None:
            found[name] = None
            continue
        # Its session, not its family: what the watcher started again descends from the watcher.
        members = keeper.session_members(process.pid)
        children = Counter(processes.program_of(pid) for pid in members if pid != process.pid)
        found[name] = {
            "descriptors": dict(
                sum((descriptors(pid, instance.memory) for pid in members), Counter())
            ),
            "rss_bytes": process.rss_bytes(),
            "children": children,
        }
    return found


def ours(instance: Instance) -> list[dict[str, Any]]:
    """Processes that name the instance's folder in arguments or environment, this one aside."""
    home = str(instance.home).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or not processes.is_alive(int(entry.name)):
            continue
        try:
            argv = (entry / "cmdline").read_bytes()
            if home in argv or home in (entry / "environ").read_bytes():
                found.append({"pid": int(entry.name), "argv": argv.decode("utf-8", "replace")})
        except OSError:
            continue
    return [row for row in found if row["pid"] not in processes_above()]


def processes_above() -> set[int]:
    """This process and those that started it."""
    found, pid = set(), os.getpid()
    while pid > 1:
        found.add(pid)
        fields = processes.stat_of(pid)
        pid = int(fields[1]) if fields else 0
    return found


def leftovers(instance: Instance, children: Iterable[int]) -> dict[str, Any]:
    """What is there after `./dev down`: processes, and files in folders that should be empty.

    `children` are processes that ran below the workers before: they name no folder of ours.
    """
    places = {"run": instance.run, "segments": instance.segments}
    files = {
        name: sorted(
            str(path.relative_to(place))
            for path in place.rglob("*")
            # A lock's file stays: to remove it would let two hold what one may hold.
            if not path.is_dir() and path.name != "lock"
        )
        for name, place in places.items()
    }
    temporary = [
        str(path.relative_to(instance.home))
        for path in instance.home.rglob("*.new")
        if "postgres" not in path.parts and "kafka" not in path.parts
    ]
    alive = [
        {"pid": pid, "argv": processes.program_of(pid)} for pid in children if processes.is_alive(pid)
    ]
    return {"processes": ours(instance) + alive, "files": files, "temporary": sorted(temporary)}
