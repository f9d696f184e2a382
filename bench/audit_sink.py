# SPDX-License-Identifier: Apache-2.0
"""How many events a second the audit sink stores in Postgres, and what idle daemons hold in memory.

The sink is stopped, events of many tenants are put into Kafka, and it is started again: the rate is
that from its first stored event to its last, as its own counter tells, looked at every 20 ms.

Checked: Postgres holds every event exactly once, and `weirctl audit verify` finds the chain whole.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import uuid

from common.keepalive import Connection
from common.process import rss_bytes
from common.report import Report
from common.rig import Rig, rig
from common.samples import median
from dev import keeper
from stack import wait_for

EVENTS = 40_000
TENANTS = 50
REPEATS = 3
IDLE_S = 5
DAEMONS = ("api", "scheduler", "reaper", "audit")


def lines() -> bytes:
    """Events as the api writes them, `key TAB value` a line."""
    tenants = [str(uuid.uuid4()) for _ in range(TENANTS)]
    found = []
    for i in range(EVENTS):
        tenant = tenants[i % TENANTS]
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/weir/api/bench",
            "type": "audit.access",
            "subject": tenant,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "datacontenttype": "application/json",
            "tenantid": tenant,
            "data": {
                "tenant_id": tenant,
                "actor": str(uuid.uuid4()),
                "action": "stream.start",
                "object_type": "stream",
                "object_id": str(uuid.uuid4()),
                "outcome": "allowed",
                "request_id": str(uuid.uuid4()),
                "remote_addr": "192.0.2.7",
            },
        }
        found.append(f"{tenant}\t{json.dumps(event, separators=(',', ':'))}\n")
    return "".join(found).encode()


def produce(made: Rig) -> None:
    subprocess.run(
        ["kcat", "-q", "-b", made.values["WEIR_KAFKA"], "-P", "-t", "weir.audit.v1", "-K", "\t"],
        input=lines(), check=True, timeout=120,
    )  # fmt: skip


def stored(admin: Connection) -> int:
    text = admin.call("GET", "/metrics").expect(200).body.decode()
    found = re.search(r'^weir_audit_records_total\{verdict="valid"\} (\d+)', text, re.MULTILINE)
    assert found, text
    return int(found.group(1))


def rows(made: Rig) -> int:
    text = "SELECT count(*) FROM audit_event WHERE action = 'stream.start'"
    done = subprocess.run(
        ["psql", "-Atq", "-c", text, made.values["WEIR_POSTGRES"]],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return int(done.stdout)


def rate(made: Rig) -> float:
    before = rows(made)
    made.dev("stop", "audit")
    produce(made)
    made.dev("start", "audit")
    admin = Connection(f"http://127.0.0.1:{made.instance.port('audit-admin')}")
    seen: list[tuple[float, int]] = []

    def all_stored() -> bool:
        seen.append((time.monotonic(), stored(admin)))
        return seen[-1][1] >= EVENTS

    wait_for("all stored", all_stored, 120, 0.02)
    assert rows(made) - before == EVENTS, "every event is there once"
    moving = [look for look in seen if look[1] > 0]
    first, last = moving[0], moving[-1]
    if first[1] == last[1]:  # all between two looks
        first = seen[max(0, len(seen) - len(moving) - 1)]
    return (last[1] - first[1]) / (last[0] - first[0])


def idle_memory(made: Rig, report: Report) -> None:
    time.sleep(IDLE_S)
    found = {}
    for daemon in DAEMONS:
        process = keeper.running(made.instance, daemon)
        assert process
        found[daemon] = rss_bytes(process.pid) / 2**20
    told = ", ".join(f"{daemon} {mib:.1f}" for daemon, mib in found.items())
    report.at_most("idle RSS of api, scheduler, reaper, audit, largest", 48, max(found.values()),
                   "MiB", told)  # fmt: skip


def main() -> int:
    report = Report("audit_sink")
    with rig(1) as made:
        idle_memory(made, report)
        rates = [rate(made) for _ in range(REPEATS)]
        verified = made.weirctl("audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    report.keep("events_per_s", rates)
    report.at_least("audit sink, events stored a second, median", 10_000, median(rates), "/s",
                    ", ".join(f"{one:,.0f}" for one in rates))  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
