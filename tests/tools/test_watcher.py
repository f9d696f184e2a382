# SPDX-License-Identifier: Apache-2.0
"""When `./dev` starts again what died, and when it takes a gateway for hung."""

from __future__ import annotations

import socket

from dev.watcher import (
    ASK_EVERY_S,
    DELAY_S,
    MAX_DELAY_S,
    UNANSWERED_MAX,
    Patience,
    Pulse,
    answers,
)


def waited(patience: Patience, died_at: float) -> float:
    """Seconds from a death until the process is due again."""
    now = died_at
    while not patience.is_due(now):
        now += 0.1
    patience.started(now)
    return now - died_at


def test_a_process_that_ran_is_back_after_a_moment() -> None:
    assert DELAY_S <= waited(Patience(), 1000.0) < DELAY_S + 0.2


def test_a_process_that_dies_at_once_waits_longer_each_time_up_to_a_bound() -> None:
    patience = Patience()
    now, delays = 1000.0, []
    for _ in range(7):
        took = waited(patience, now)
        now += took + 0.5
        delays.append(took)
    assert delays == sorted(delays)
    assert MAX_DELAY_S <= delays[-1] < MAX_DELAY_S + 0.2


def test_a_process_that_lived_a_while_is_trusted_again() -> None:
    patience = Patience()
    waited(patience, 1000.0)
    waited(patience, 1001.0)
    assert waited(patience, 1100.0) < DELAY_S + 0.2


def test_only_silence_in_a_row_is_a_hang() -> None:
    pulse = Pulse()
    told = [False] * (UNANSWERED_MAX - 1) + [True] + [False] * UNANSWERED_MAX + [False]
    hung = [pulse.hangs(float(now), answered) for now, answered in enumerate(told)]
    assert [now for now, is_hung in enumerate(hung) if is_hung] == [len(told) - 2]


def test_a_server_is_asked_from_time_to_time() -> None:
    pulse = Pulse()
    assert pulse.is_due(1000.0)
    pulse.hangs(1000.0, answered=True)
    assert not pulse.is_due(1000.0 + ASK_EVERY_S / 2)
    assert pulse.is_due(1000.0 + ASK_EVERY_S)


def test_a_server_that_takes_connections_and_says_nothing_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert not answers("127.0.0.1", port)
    assert answers("127.0.0.1", port), "nobody there is a death, which others see"
