# SPDX-License-Identifier: Apache-2.0
"""How long `POST /v1/streams` takes until its 202, and a start until a worker acts on it.

One load gives both figures: 100 starts a second, each of another camera, sent whether or not the
earlier ones were answered. A 202 means that Kafka has acknowledged the command. The worker acts
when it reports `fact.starting`; both ends are the log's own times: when the api appended the
command, and when the worker appended its fact. One machine's clock, so they can be compared.

The cameras are one host that takes connections and then says nothing, so all of the road is
walked (camera looked up, tap told, connection opened) without a picture to pay for. Checked: each
202 names another stream, every command has exactly one decision, every stream was begun.
"""

from __future__ import annotations

import socket
import sys
import time
import uuid
from typing import Any

from common.keepalive import Answer, Connection
from common.load import at_rate
from common.log import records
from common.report import Report
from common.rig import Rig, rig
from common.samples import median, quantile, told
from stack import wait_for

RATE = 100
SECONDS = 6
REPEATS = 3
WORKERS = 1


class SilentHost:
    """Takes connections, in the kernel's queue, and never reads."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(4096)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.socket.getsockname()[1]}/silent"


def start_all(made: Rig, cameras: list[str]) -> tuple[list[float], list[float], list[str]]:
    """Latencies of the answers, times from command to act, and the streams."""

    def ask(connection: Connection, index: int) -> Answer:
        body = {"camera_id": cameras[index], "quality": "source"}
        key = f'"{uuid.uuid4()}"'
        return connection.call("POST", "/v1/streams", body, Idempotency_Key=key)

    since_ms = time.time() * 1000
    replies = at_rate(made.connect, ask, per_second=RATE, count=len(cameras))
    streams = [reply.answer.expect(202).json["id"] for reply in replies]
    assert len(set(streams)) == len(cameras), "another stream for each camera"
    acted = wait_for("every stream begun", lambda: begun(made, streams, since_ms), 30, 0.5)
    return [reply.took_ms for reply in replies], acted, streams


def begun(made: Rig, streams: list[str], since_ms: float) -> list[float] | None:
    """Milliseconds from command to act of each stream, once all are there."""
    wanted = set(streams)
    asked = times(made, "commands", "command.start", wanted, since_ms)
    acted = times(made, "facts", "fact.starting", wanted, since_ms)
    if len(acted) < len(wanted):
        return None
    assert set(asked) == wanted, "each command stands in the log"
    return [acted[stream] - asked[stream] for stream in streams]


def times(made: Rig, topic: str, kind: str, wanted: set[str], since_ms: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in records(made.values["WEIR_KAFKA"], f"weir.{topic}.v1"):
        event: dict[str, Any] = record.event
        stream = event["data"].get("stream_id")
        if event["type"] == kind and stream in wanted and record.at_ms >= since_ms:
            found.setdefault(stream, record.at_ms)
    return found


def check_decisions(made: Rig, streams: list[str]) -> None:
    """Every command was decided exactly once."""
    commands = [
        record.event["data"]["command_id"]
        for record in records(made.values["WEIR_KAFKA"], "weir.commands.v1")
        if record.event["type"] == "command.start"
    ]
    decided = [
        record.event["data"].get("command_id")
        for record in records(made.values["WEIR_KAFKA"], "weir.decisions.v1")
    ]
    assert len(commands) >= len(streams)
    for command in commands:
        assert decided.count(command) == 1, f"command {command}: {decided.count(command)} decisions"


def stop_all(made: Rig, streams: list[str]) -> None:
    connection = made.connect()
    for stream in streams:
        connection.call("DELETE", f"/v1/streams/{stream}").expect(202)

    def stopped() -> bool:
        rows = [connection.call("GET", f"/v1/streams/{stream}").json for stream in streams]
        return all(row["state"] in ("stopped", "cancelled") for row in rows)

    wait_for("all stopped", stopped, 60, 0.5)
    connection.close()


def main() -> int:
    report = Report("accept")
    host = SilentHost()
    limits = {"WEIR_STREAMS_MAX": "1024", "WEIR_STREAMS_PER_SLOT": "16"}
    accepted: list[float] = []
    acted: list[float] = []
    with rig(WORKERS, weir_worker=limits) as made:
        connection = made.connect()
        cameras = [made.add_camera(connection, host.url) for _ in range(RATE * SECONDS)]
        connection.close()
        for _ in range(REPEATS):
            answers, acts, streams = start_all(made, cameras)
            print(f"  202: {told(answers)}\n  acts: {told(acts)}", flush=True)
            accepted += answers
            acted += acts
            stop_all(made, streams)
            check_decisions(made, streams)
    report.keep("accepted_ms", accepted)
    report.keep("acted_ms", acted)
    report.at_most(
        "POST /v1/streams until 202, 100 requests/s, p99", 30, quantile(accepted, 0.99), "ms",
        f"median {median(accepted):.1f} ms, {told(accepted)}",
    )
    report.at_most(
        "command appended until its worker acts, 100 starts/s, p99", 50, quantile(acted, 0.99), "ms",
        f"{told(acted)}",
    )
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
