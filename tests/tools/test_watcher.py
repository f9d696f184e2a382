# SPDX-License-Identifier: Apache-2.0
"""When `./dev` starts again what died."""

from __future__ import annotations

from dev.watcher import DELAY_S, MAX_DELAY_S, Patience


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
