# SPDX-License-Identifier: Apache-2.0
"""hls.js in Chromium, through the Worker: pictures, and an engine that dies meanwhile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser import Browser
from dev import topics
from rig import Rig, wait_for

pytestmark = pytest.mark.xdist_group("rig")


def records(rig: Rig, topic: str) -> list[dict[str, Any]]:
    lines = topics.read(rig.stack.values["WEIR_KAFKA"], topic, partition=None).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_it_plays_through_the_worker(rig: Rig) -> None:
    user, stream = rig.start("acme", "browser")
    path = user.ticket(stream).split("/live/")[1]
    with Browser() as browser:
        player = browser.add("viewer", f"{rig.doors['worker'].url}/live/{path}")
        wait_for("pictures", lambda: player.frames > 30, 60)
        rig.stack.kill("mediamtx")
        seen = player.frames
        newest = player.levels[-1]["cc"]
        wait_for("another engine", lambda: player.levels[-1]["cc"] > newest, 60)
        wait_for("pictures again", lambda: player.frames > seen + 60, 60)
        assert not player.fatal
        assert not player.went_back()

    def is_counted() -> bool:
        told = (record["data"] for record in records(rig, "weir.viewers.v1"))
        return any(one["stream_id"] == stream and one["viewers"] >= 1 for one in told)

    # Nobody but the Worker's viewer watched it: what counted him is the Worker's report.
    wait_for("the Worker's viewer is counted", is_counted, 30)
