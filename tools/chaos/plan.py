# SPDX-License-Identifier: Apache-2.0
"""Which fault happens when. Equal seed, length and abilities give the equal plan."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

WORKERS = ("worker-0", "worker-1", "worker-2")
TWINS = ("api", "api-2", "scheduler", "scheduler-2", "reaper", "reaper-2")
DAEMONS = (*WORKERS, *TWINS, "audit")
STORES = ("kafka", "redis", "postgres")
CAMERAS = tuple(f"cam{index}" for index in range(5))
CHILDREN = tuple(
    f"{worker}/{program}" for worker in WORKERS for program in ("tap", "origin", "engine")
)
CAMERA_FAULTS = ("silent", "freeze", "garbage", "refuse", "busy")
CLOCK_JUMPS_S = (-3600, -60, 60, 3600)
CUTS = ("hole", "reset", "deaf", "mute", "delay")

# What each daemon speaks to.
LINKS = (
    *((daemon, "kafka") for daemon in DAEMONS),
    *((daemon, "redis") for daemon in ("api", "api-2", "scheduler", "scheduler-2")),
    *((daemon, "postgres") for daemon in ("api", "api-2", "audit")),
    *((worker, "everything") for worker in WORKERS),
)


@dataclass(frozen=True)
class Fault:
    """`at_s` after the start of the faults; `for_s` 0 where it is over at once; `how` by kind."""

    n: int
    at_s: float
    kind: str
    target: str
    for_s: float
    how: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Kind:
    """`gap_s`: the least time between two of them, for what takes a while to get over."""

    name: str
    weight: int
    targets: Sequence[str]
    for_s: tuple[float, float] = (0, 0)
    hows: Sequence[str] = ("",)
    gap_s: float = 0


KINDS = (
    Kind("kill", 24, CHILDREN),
    Kind("pause", 14, CHILDREN, (0.5, 15)),
    Kind("kill", 10, WORKERS),
    Kind("pause", 8, WORKERS, (0.5, 15)),
    Kind("end", 4, WORKERS),
    Kind("kill", 16, TWINS),
    Kind("pause", 12, TWINS, (0.5, 15)),
    Kind("end", 6, TWINS),
    Kind("kill", 3, ("audit",)),
    Kind("pause", 3, ("audit",), (0.5, 15)),
    Kind("kill", 3, ("gateway",)),
    Kind("pause", 3, ("gateway",), (0.5, 4)),
    Kind("flush", 6, ("redis",)),
    Kind("kill", 3, ("redis",)),
    Kind("pause", 2, ("redis",), (0.5, 15)),
    Kind("kill", 3, ("postgres",), gap_s=15),
    Kind("end", 2, ("postgres",), gap_s=15),
    Kind("pause", 2, ("postgres",), (0.5, 15), gap_s=15),
    Kind("kill", 3, ("kafka",), gap_s=30),
    Kind("pause", 3, ("kafka",), (0.5, 12), gap_s=20),
    Kind("camera", 10, CAMERAS, (1, 12), CAMERA_FAULTS),
    Kind("kill", 4, tuple(f"camera-{camera}" for camera in CAMERAS)),
    Kind("cut", 20, tuple(f"{daemon}/{store}" for daemon, store in LINKS), (0.5, 15), CUTS),
    Kind("clock", 6, DAEMONS, (2, 15), tuple(str(jump) for jump in CLOCK_JUMPS_S)),
    Kind("fill", 4, WORKERS, (1, 10)),
)
ABILITIES = ("cut", "clock", "fill")


def draw(seed: int, seconds: float, abilities: Collection[str] = ABILITIES) -> list[Fault]:
    """Faults for `seconds`, about one a second, in order of time; they overlap as they come."""
    source = random.Random(seed)
    lacking = set(ABILITIES) - set(abilities)
    kinds = [kind for kind in KINDS if kind.name not in lacking]
    last: dict[Kind, float] = {}
    found: list[Fault] = []
    at_s = 1.0
    while at_s < seconds:
        fit = [kind for kind in kinds if at_s - last.get(kind, -1e9) >= kind.gap_s]
        kind = source.choices(fit, [each.weight for each in fit])[0]
        last[kind] = at_s
        found.append(
            Fault(
                n=len(found),
                at_s=round(at_s, 2),
                kind=kind.name,
                target=source.choice(kind.targets),
                for_s=round(source.uniform(*kind.for_s), 2),
                how=source.choice(kind.hows),
            )
        )
        at_s += source.uniform(0.3, 1.5)
    return found
