# SPDX-License-Identifier: Apache-2.0
"""The audit on a real Kafka and Postgres, killed again and again: every record exactly once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client import wait_for
from faults.processes import family, pid_of, tell

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEIR_TEST_BUILD") or ROOT / "build" / "release")
WEIRCTL = BUILD / "weirctl" / "weirctl"
KILLS = 16
BURST = 3000  # takes a while in batches of 20
INSTANCE = "aaaaaaaa-0000-4000-8000-000000000001"
TENANTS = [f"bbbbbbbb-0000-4000-8000-00000000000{n}" for n in range(3)]


class Rig:
    """Topics and tables of an instance, and audit daemons that this test starts and kills."""

    def __init__(self, infra: Any, home: Path) -> None:
        self.infra = infra
        self.home = home
        self.values = infra.env()
        self.written = 0
        self.daemons: list[subprocess.Popen[bytes]] = []

    def weirctl(self, *args: str, role: str = "OWNER") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(WEIRCTL), *args],
            env={
                **os.environ,
                "WEIR_KAFKA": self.values["WEIR_KAFKA"],
                "WEIR_POSTGRES": self.values[f"WEIR_POSTGRES_{role}"],
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def sql(self, text: str) -> str:
        done = subprocess.run(
            ["psql", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", text, self.values["WEIR_POSTGRES"]],
            check=True, capture_output=True, text=True, timeout=60,
        )
        return done.stdout.strip()

    def decision(self, offset: int) -> str:
        effects = [
            {"entity": "stream", "tenant_id": TENANTS[(offset + n) % 3],
             "stream_id": f"cccccccc-0000-4000-8000-{offset % 50:012d}", "generation": offset,
             "from": "queued", "to": "placed", "reason": "placed"}
            for n in range(offset % 4)
        ]
        takeover = offset == 0
        return json.dumps({
            "specversion": "1.0", "id": f"dddddddd-0000-4000-8000-{offset:012d}",
            "source": "/weir/scheduler/0", "type": "decision", "subject": "0",
            "time": "2026-11-22T19:00:00.000Z", "datacontenttype": "application/json",
            "data": {"instance": INSTANCE, "epoch": -1 if takeover else 0, "cell": 0,
                     "kind": "takeover" if takeover else "timer", "outcome": "applied",
                     "reason": "placed", "at_ms": 1700000000000 + offset,
                     "effects": [] if takeover else effects}})

    def write(self, n: int) -> None:
        lines = [self.decision(self.written + i) for i in range(n)]
        self.written += n
        subprocess.run(
            ["kcat", "-P", "-q", "-b", self.values["WEIR_KAFKA"], "-t", "weir.decisions.v1",
             "-p", "0", "-X", "acks=all"],
            input="\n".join(lines).encode(), check=True, timeout=60,
        )

    def start(self) -> subprocess.Popen[bytes]:
        with (self.home / "audit.log").open("ab") as log:
            daemon = subprocess.Popen(
                [str(BUILD / "audit" / "weir-audit")],
                env={
                    **os.environ,
                    "WEIR_KAFKA": self.values["WEIR_KAFKA"],
                    "WEIR_POSTGRES": self.values["WEIR_POSTGRES_AUDIT"],
                    "WEIR_AUDIT_BATCH_RECORDS": "20",
                },
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            )
        self.daemons.append(daemon)
        return daemon

    def stop_all(self) -> list[int]:
        for daemon in self.daemons:
            daemon.send_signal(signal.SIGTERM)
        codes = [daemon.wait(20) for daemon in self.daemons]
        self.daemons = []
        return codes

    def stored(self) -> int:
        return int(self.sql("SELECT count(*) FROM audit_record WHERE topic = 'weir.decisions.v1'"))

    def assert_exact(self) -> None:
        counts = self.sql(
            "SELECT count(*), count(DISTINCT off), min(off), max(off) FROM audit_record"
            " WHERE topic = 'weir.decisions.v1' AND part = 0"
        )
        assert counts == f"{self.written}|{self.written}|0|{self.written - 1}"
        events = int(self.sql("SELECT count(*) FROM audit_event"))
        assert events == sum(offset % 4 for offset in range(1, self.written))
        assert self.sql("SELECT count(*) FROM audit_record WHERE verdict <> 'valid'") == "0"
        verified = self.weirctl("audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr


def pause(pids: list[int], seconds: float) -> None:
    tell(pids, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        tell(pids, signal.SIGCONT)


def hung_postgres(rig: Rig) -> None:
    """Longer than a statement is waited for: a commit on its way then has an unknown outcome."""
    pause(family(pid_of(rig.infra.home, "postgres")), 8)


def cut_connections(rig: Rig) -> None:
    for _ in range(20):
        rig.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'weir_audit'")
        time.sleep(0.05)


def restarted_postgres(rig: Rig) -> None:
    rig.infra.ok("stop", "postgres")
    rig.infra.ok("start", "postgres")


def hung_kafka(rig: Rig) -> None:
    pause(family(pid_of(rig.infra.home, "kafka")), 12)


@pytest.fixture(scope="module")
def rig(infra: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(infra, tmp_path_factory.mktemp("audit"))
    for command in ("migrate", "topics"):
        done = made.weirctl(command)
        assert done.returncode == 0, done.stderr
    try:
        yield made
    finally:
        for daemon in made.daemons:
            daemon.kill()
            daemon.wait()


def test_what_was_written_before_it_came_is_stored(rig: Rig) -> None:
    rig.write(500)
    rig.start()
    wait_for("all records", lambda: rig.stored() == rig.written, seconds=30)
    assert rig.stop_all() == [0]
    rig.assert_exact()


def test_kills_at_random_moments_of_two_at_once_neither_lose_nor_double_a_record(rig: Rig) -> None:
    chance = random.Random(7)
    rig.start()
    rig.start()
    for _ in range(KILLS):
        rig.write(200)
        time.sleep(chance.uniform(0.02, 0.3))
        victim = rig.daemons.pop(chance.randrange(2))
        victim.kill()
        victim.wait()
        rig.start()
    wait_for("all records", lambda: rig.stored() == rig.written, seconds=60)
    assert set(rig.stop_all()) == {0}
    rig.assert_exact()


def test_outages_of_what_it_stands_on_neither_lose_nor_double_a_record(rig: Rig) -> None:
    """Each one in the middle of storing; nobody helps it up again."""
    rig.start()
    rig.start()
    for outage in (hung_postgres, cut_connections, restarted_postgres, hung_kafka):
        rig.write(BURST)
        outage(rig)
        rig.write(100)
        wait_for(f"all records after {outage.__name__}", lambda: rig.stored() == rig.written, 90)
    assert rig.stop_all() == [0, 0]
    rig.assert_exact()


def test_one_that_was_paused_does_no_harm_when_it_goes_on(rig: Rig) -> None:
    first = rig.start()
    rig.write(100)
    wait_for("the first stores", lambda: rig.stored() == rig.written, seconds=30)
    first.send_signal(signal.SIGSTOP)
    rig.start()
    rig.write(300)
    try:
        wait_for("the second stores", lambda: rig.stored() == rig.written, seconds=30)
    finally:
        first.send_signal(signal.SIGCONT)
    rig.write(300)
    wait_for("all records", lambda: rig.stored() == rig.written, seconds=30)
    assert rig.stop_all() == [0, 0]
    rig.assert_exact()


def test_a_tampered_record_is_named(rig: Rig) -> None:
    rig.sql("UPDATE audit_record SET raw = set_byte(raw, 9, 88) WHERE off = 77")
    verified = rig.weirctl("audit", "verify")
    assert verified.returncode == 1
    assert "weir.decisions.v1/0: record 77" in verified.stderr
