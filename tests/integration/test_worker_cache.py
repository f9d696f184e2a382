# SPDX-License-Identifier: Apache-2.0
"""Cameras' sources that a worker finds in Redis: what an api signed for this camera is used without
asking an api, all else as if it were not there."""

from __future__ import annotations

import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from client import fetch, wait_for
from conftest import Dev
from test_worker import Cell
from worker_rig import Placed, seal, sign

DEAD = "rtsp://127.0.0.1:1/none"


@pytest.fixture(scope="module")
def cell(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    dev.ok("infra", "up")
    made = Cell(dev, tmp_path_factory.mktemp("worker"))
    yield made
    made.close()


class Cache:
    """What lies in Redis, written as an api writes it, and as somebody who got at Redis would."""

    def __init__(self, dev: Dev, cell: Cell) -> None:
        secrets = dev.home / "secrets"
        self.admin = dev.base + 41
        self.url = dev.env()["WEIR_REDIS"]
        self.seed = bytes.fromhex((secrets / "source-sign.key").read_text().strip())
        self.public_key = bytes.fromhex((secrets / "seal.pub").read_text().strip())

    def redis(self, *args: str) -> str:
        argv = ["redis-cli", "--no-auth-warning", "-u", self.url, *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout

    def entry(self, tenant_id: str, camera_id: str, url: str, **more: Any) -> dict[str, Any]:
        named = {"tenant_id": tenant_id, "camera_id": camera_id, "version": 1}
        inner = {**named, "url": url, "transport": "tcp", **more.pop("inner", {})}
        return {
            **named,
            "sealed": seal(self.public_key, json.dumps(inner)),
            "exclusive": False,
            "encoder_delay_ms": 0,
            "networks": "public",
            "default_quality": "source",
            "default_fps": 0,
            "max_quality": "source",
            "max_fps": 0,
            "audio": False,
            "camera_version": 1,
            "tenant_version": 1,
            "max_streams": 10,
            "stopped": False,
            "expires_at_ms": int(time.time() * 1000) + 60_000,
            **more,
        }

    def put(self, camera_id: str, text: str, version: int = 1) -> None:
        self.redis("HSET", f"weir:source:0:{camera_id}", "v", str(version), "e", text)

    def found(self) -> dict[str, int]:
        text = fetch(f"http://127.0.0.1:{self.admin}/metrics").body.decode()
        pairs = re.findall(r'weir_worker_source_cache_total\{found="(\w+)"\} (\d+)', text)
        return {name: int(number) for name, number in pairs}


@pytest.fixture(scope="module")
def cache(dev: Dev, cell: Cell) -> Cache:
    return Cache(dev, cell)


def counted(cache: Cache, before: dict[str, int]) -> dict[str, int]:
    return {name: n - before[name] for name, n in cache.found().items() if n != before[name]}


def plays(cell: Cell, tenant_id: str, camera_id: str) -> bool:
    placed = Placed(cell.worker, tenant_id, camera_id)
    placed.start()
    is_good = placed.playlist()[0] == 200
    placed.stop()
    return is_good


def test_an_entry_of_an_api_spares_the_question(cell: Cell, cache: Cache) -> None:
    tenant_id, camera_id = str(uuid.uuid4()), str(uuid.uuid4())  # no api knows it
    entry = cache.entry(tenant_id, camera_id, cell.camera.url)
    cache.put(camera_id, sign(cache.seed, json.dumps(entry)))
    before, asked = cache.found(), cell.sources.asked
    assert plays(cell, tenant_id, camera_id)
    assert counted(cache, before) == {"hit": 1}
    assert cell.sources.asked == asked


Plant = Callable[[Cache, str, str], str]


def unsigned(cache: Cache, tenant_id: str, camera_id: str) -> str:
    return json.dumps(cache.entry(tenant_id, camera_id, DEAD))


def by_another_key(cache: Cache, tenant_id: str, camera_id: str) -> str:
    return sign(bytes(32), json.dumps(cache.entry(tenant_id, camera_id, DEAD)))


def changed(cache: Cache, tenant_id: str, camera_id: str) -> str:
    text = sign(cache.seed, json.dumps(cache.entry(tenant_id, camera_id, DEAD)))
    return text.replace('"networks": "public"', '"networks": "10.0.0.0/8"')


def of_another_camera(cache: Cache, tenant_id: str, camera_id: str) -> str:
    return sign(cache.seed, json.dumps(cache.entry(tenant_id, str(uuid.uuid4()), DEAD)))


def of_another_tenant(cache: Cache, tenant_id: str, camera_id: str) -> str:
    return sign(cache.seed, json.dumps(cache.entry(str(uuid.uuid4()), camera_id, DEAD)))


def expired(cache: Cache, tenant_id: str, camera_id: str) -> str:
    at = int(time.time() * 1000) - 1
    return sign(cache.seed, json.dumps(cache.entry(tenant_id, camera_id, DEAD, expires_at_ms=at)))


def sealed_for_another_camera(cache: Cache, tenant_id: str, camera_id: str) -> str:
    inner = {"camera_id": str(uuid.uuid4())}
    return sign(cache.seed, json.dumps(cache.entry(tenant_id, camera_id, DEAD, inner=inner)))


def sealed_for_a_key_of_nobody(cache: Cache, tenant_id: str, camera_id: str) -> str:
    sealed = "0123456789abcdef." + seal(bytes([9]) + bytes(31), "{}")
    return sign(cache.seed, json.dumps(cache.entry(tenant_id, camera_id, DEAD, sealed=sealed)))


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (unsigned, {"forged": 1}),
        (by_another_key, {"forged": 1}),
        (changed, {"forged": 1}),
        (of_another_camera, {"moved": 1}),
        (of_another_tenant, {"moved": 1}),
        (expired, {"old": 1}),
        (sealed_for_another_camera, {"hit": 1, "unusable": 1}),
        (sealed_for_a_key_of_nobody, {"hit": 1, "unusable": 1}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_planted_is_refused_and_counted(
    cell: Cell, cache: Cache, plant: Plant, found: dict[str, int]
) -> None:
    tenant_id, camera_id = cell.add_camera()
    cache.put(camera_id, plant(cache, tenant_id, camera_id))
    before, asked = cache.found(), cell.sources.asked
    assert plays(cell, tenant_id, camera_id)
    assert counted(cache, before) == found
    assert cell.sources.asked == asked + 1


def test_an_entry_from_before_a_change_is_refused(cell: Cell, cache: Cache) -> None:
    """The change was heard of while the worker had nothing to do with the camera."""
    tenant_id, camera_id = cell.add_camera()
    config = {"tenant_id": tenant_id, "camera_id": camera_id, "version": 2, "deleted": False}
    more = {"host": "x", "warm": False, "exclusive": False, "max_leases": 1}
    cell.log.put("weir.config.v1", "config.camera", {**config, **more})
    # Taken once the worker says so of a camera that it has: records come in their order.
    watched = Placed(cell.worker, *cell.add_camera())
    watched.start()
    asked = cell.sources.asked
    mark = {**config, **more, "tenant_id": watched.tenant_id, "camera_id": watched.camera_id}
    cell.log.put("weir.config.v1", "config.camera", mark)
    wait_for("the worker heard of the changes", lambda: cell.sources.asked > asked, 20)
    cache.put(camera_id, sign(cache.seed, json.dumps(cache.entry(tenant_id, camera_id, DEAD))))
    before = cache.found()
    assert plays(cell, tenant_id, camera_id)
    assert counted(cache, before) == {"old": 1}
    watched.stop()


def test_without_redis_the_api_is_asked(dev: Dev, cell: Cell, cache: Cache) -> None:
    before = cache.found()
    dev.ok("stop", "redis")
    try:
        assert plays(cell, *cell.add_camera())
    finally:
        dev.ok("start", "redis")
    assert counted(cache, before) == {"away": 1}


def test_the_workers_redis_user_may_only_read_sources(dev: Dev) -> None:
    url = (dev.home / "secrets" / "redis-worker.url").read_text().strip()

    def says(*args: str) -> str:
        argv = ["redis-cli", "--no-auth-warning", "-u", url, *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout

    assert "NOPERM" not in says("HGET", "weir:source:0:x", "e")
    for refused in (
        ("HSET", "weir:source:0:x", "e", "y"), ("HGET", "weir:0:view", "epoch"), ("KEYS", "*"),
        ("GET", "weir:key:0:x"), ("FLUSHALL",), ("EVAL", "return 1", "0"), ("SCAN", "0"),
    ):  # fmt: skip
        assert "NOPERM" in says(*refused), refused


def test_secrets_are_in_no_log(cell: Cell, cache: Cache) -> None:
    text = Path(cell.worker.output).read_text()
    assert cache.seed.hex() not in text and "redis://" not in text
