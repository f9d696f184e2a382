# SPDX-License-Identifier: Apache-2.0
"""Requests at a fixed rate, whether or not earlier ones were answered (an open loop).

Latency counts from the moment at which a request was due, not from when a busy client got round to
it: a server that stalls cannot hide behind the requests that it kept from being sent.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from common.keepalive import Answer, Connection


@dataclass
class Reply:
    index: int
    sent_wall_ms: float
    late_ms: float  # how late the client itself was
    took_ms: float  # since the request was due
    answer: Answer


def at_rate(
    connect: Callable[[], Connection],
    ask: Callable[[Connection, int], Answer],
    *,
    per_second: float,
    count: int,
    connections: int = 16,
) -> list[Reply]:
    """`count` requests, `ask(connection, index)` each, spread over kept connections."""
    due: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
    replies: list[Reply] = []
    broken: list[BaseException] = []

    def serve() -> None:
        connection = connect()
        while (job := due.get()) is not None:
            index, when = job
            began = time.monotonic()
            wall_ms = time.time() * 1000
            try:
                answer = ask(connection, index)
            except BaseException as error:  # noqa: BLE001 - told below, by the one who asked
                broken.append(error)
                return
            took_ms = (time.monotonic() - when) * 1000
            replies.append(Reply(index, wall_ms, (began - when) * 1000, took_ms, answer))
        connection.close()

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    start = time.monotonic() + 0.05
    for index in range(count):
        when = start + index / per_second
        time.sleep(max(0.0, when - time.monotonic()))
        due.put((index, when))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join(60)
    if broken:
        raise broken[0]
    assert len(replies) == count, f"{len(replies)} of {count} requests were answered"
    return sorted(replies, key=lambda reply: reply.index)
