# SPDX-License-Identifier: Apache-2.0
"""The plan of a chaos run is a function of its seed, and leaves nothing out."""

from __future__ import annotations

from chaos import plan


def test_the_same_seed_gives_the_same_faults() -> None:
    assert plan.draw(7, 270) == plan.draw(7, 270)
    assert plan.draw(7, 270) != plan.draw(8, 270)


def test_a_short_run_has_at_least_two_hundred_faults_that_overlap() -> None:
    faults = plan.draw(1, 210)
    assert len(faults) >= 200
    overlapping = [
        late
        for early, late in zip(faults, faults[1:], strict=False)
        if early.at_s + early.for_s > late.at_s
    ]
    assert len(overlapping) >= 50


def test_a_long_run_meets_every_kind_at_every_target() -> None:
    met = {(fault.kind, fault.target) for fault in plan.draw(1, 3600 * 4)}
    wanted = {(kind.name, target) for kind in plan.KINDS for target in kind.targets}
    assert wanted - met == set()


def test_what_a_machine_cannot_do_is_not_drawn() -> None:
    assert {fault.kind for fault in plan.draw(1, 3600, ["cut"])} & {"clock", "fill"} == set()


def test_the_broker_gets_time_between_two_deaths() -> None:
    deaths = [
        fault.at_s
        for fault in plan.draw(3, 3600)
        if (fault.kind, fault.target) == ("kill", "kafka")
    ]
    assert all(late - early >= 30 for early, late in zip(deaths, deaths[1:], strict=False))
