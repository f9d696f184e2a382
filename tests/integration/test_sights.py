# SPDX-License-Identifier: Apache-2.0
"""What packets do not tell, on the real services: a camera sends on, but its picture is frozen, black
or covered. It is looked at every ten seconds, found by that, told, shown and counted. A decoder that
does not decode is no fault of the camera."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from typing import Any

import pytest
from client import Api, fetch, wait_for
from conftest import stack_of
from dev import topics
from faults import settings
from faults.processes import children, stat_of, tell
from stack import Stack

FOUND_S = 30
# Besides a fault itself: the switch of the test camera, and what waits until the next second.
SLACK_S = 3
FAULTS = ("frozen", "black", "covered")
LOOKS = 9  # until the camera's noise and view are known, and some more


stack = stack_of()


@pytest.fixture(scope="module")
def cameras(stack: Stack, user: Api) -> dict[str, str]:
    """One for each fault, named by it."""
    found = {}
    for fault in FAULTS:
        url = stack.camera(fault, "--gop", "2", "--picture", "room", "--bitrate", "6000")
        found[fault] = str(user.add_camera(fault, url, warm=True)["id"])
    return found


def health(user: Api, camera: str) -> dict[str, Any]:
    live = user.get(f"/v1/cameras/{camera}").expect(200).json["live"]
    assert live and live["health"], live
    return dict(live["health"])


def metric(stack: Stack, name: str) -> int:
    listen = settings.read(stack.home / "env" / "worker-0.env")["WEIR_ADMIN_LISTEN"]
    text = fetch(f"http://{listen}/metrics").expect(200).body.decode()
    found = re.findall(rf"^{re.escape(name)} (\d+)$", text, re.MULTILINE)
    assert len(found) == 1, name
    return int(found[0])


def count(stack: Stack, fault: str) -> int:
    return metric(stack, f'weir_worker_picture_faults_total{{fault="{fault}"}}')


def said(stack: Stack, camera: str) -> list[str]:
    lines = topics.read(stack.values["WEIR_KAFKA"], "weir.facts.v1").splitlines()
    facts = [event["data"] for event in map(json.loads, lines) if event["type"] == "fact.health"]
    return [fact["faults"] for fact in facts if fact["camera_id"] == camera]


def await_faults(user: Api, camera: str, faults: list[str], seconds: float) -> dict[str, Any]:
    def is_so() -> dict[str, Any]:
        now = health(user, camera)
        assert now["faults"] == faults, now
        return now

    return wait_for(f"the faults {faults}", is_so, seconds, 0.2)


def look_on(stack: Stack, n: int) -> None:
    """Until the camera was looked at `n` times more."""
    until = metric(stack, "weir_worker_looks") + n

    def has_looked() -> bool:
        return metric(stack, "weir_worker_looks") >= until

    wait_for(f"{n} looks", has_looked, 20 * n + 60, 1)


def decoders(stack: Stack) -> list[int]:
    found = children(stack.home, "worker-0", "weir-decode")
    assert found
    return found


def cpu_ms(pid: int) -> float:
    """0: it ended, as those do that nobody uses."""
    return sum(int(field) for field in stat_of(pid)[11:13]) * 1000 / os.sysconf("SC_CLK_TCK")


def test_an_empty_room_is_a_healthy_picture(
    stack: Stack, user: Api, cameras: dict[str, str]
) -> None:
    for camera in cameras.values():
        await_faults(user, camera, [], 90)
    looks = metric(stack, "weir_worker_looks")
    before_ms = {pid: cpu_ms(pid) for pid in decoders(stack)}
    look_on(stack, LOOKS * len(cameras))
    taken = metric(stack, "weir_worker_looks") - looks
    took_ms = sum(max(0, cpu_ms(pid) - was) for pid, was in before_ms.items())
    print(f"a look: {took_ms / taken:.1f} ms of a decoder")
    for camera in cameras.values():
        assert health(user, camera)["state"] == "healthy"
    assert [count(stack, fault) for fault in FAULTS] == [0, 0, 0]


def test_a_picture_that_shows_nothing_new_is_found(
    stack: Stack, user: Api, cameras: dict[str, str]
) -> None:
    begun = {}
    for fault in FAULTS:
        stack.dev("camera", "fault", fault, fault)
        begun[fault] = time.monotonic()
    for fault, camera in cameras.items():
        left_s = begun[fault] + FOUND_S + SLACK_S - time.monotonic()
        now = await_faults(user, camera, [fault], left_s)
        print(f"found: {fault} after {time.monotonic() - begun[fault]:.1f} s at most")
        assert now["state"] == "degraded" and now["faults_seen"] >= 1
    assert [count(stack, fault) for fault in FAULTS] == [1, 1, 1]
    for fault, camera in cameras.items():
        wait_for("it is said", lambda f=fault, c=camera: f in said(stack, c), 30)
        stack.dev("camera", "fault", fault, "none")
    for camera in cameras.values():
        assert await_faults(user, camera, [], FOUND_S + SLACK_S)["state"] == "healthy"
        wait_for("that it is over is said", lambda c=camera: said(stack, c)[-1] == "", 30)


def test_decoders_that_hang_or_die_are_no_fault_of_the_camera(
    stack: Stack, user: Api, cameras: dict[str, str]
) -> None:
    camera = cameras["frozen"]
    await_faults(user, camera, [], 90)
    missed = metric(stack, "weir_worker_looks_missed")
    before = health(user, camera)["faults_seen"]
    tell(decoders(stack), signal.SIGSTOP)

    def has_missed() -> bool:
        return metric(stack, "weir_worker_looks_missed") > missed

    wait_for("a look comes to nothing", has_missed, 60, 1)
    now = health(user, camera)
    assert (now["state"], now["faults"], now["faults_seen"]) == ("healthy", [], before)
    # The others that are stopped are replaced when a snapshot finds them.
    user.get(f"/v1/cameras/{camera}/snapshot?mode=latest")
    tell(decoders(stack), signal.SIGKILL)
    answer = wait_for(
        "pictures are made again",
        lambda: user.get(f"/v1/cameras/{camera}/snapshot?mode=latest").expect(200),
        30,
    )
    assert answer.body[:2] == b"\xff\xd8"
    now = health(user, camera)
    assert (now["state"], now["faults"], now["faults_seen"]) == ("healthy", [], before)
