# SPDX-License-Identifier: Apache-2.0
"""weir-xcode by itself: what it keeps to, what can be changed while it runs, what it survives."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from xcode_rig import FLUSH, HEAD, MAGIC, TICKS, UNIT, Unit, Xcode, clip, kbps

FPS = 25


@pytest.fixture(scope="module")
def source() -> list[Unit]:
    return clip("640x360", FPS, 10)


@pytest.fixture
def xcode(tmp_path: Path) -> Iterator[Xcode]:
    made = Xcode(tmp_path)
    try:
        yield made
    finally:
        made.close()


def second(units: list[Unit], begin: float, end: float) -> list[Unit]:
    return [unit for unit in units if begin * TICKS <= unit.ts < end * TICKS]


def test_bits_and_frames_change_on_the_open_encoder(xcode: Xcode, source: list[Unit]) -> None:
    """As soon as it is asked for, with no keyframe, no other parameter set and no gap."""
    made: list[Unit] = []
    xcode.rendition(3, (640, 360), 1200, FPS)
    for unit in source:
        if unit.ts == 4 * TICKS:
            xcode.rendition(3, (640, 360), 400, FPS)
        if unit.ts == 7 * TICKS:
            xcode.rendition(3, (640, 360), 400, 5)
        made += xcode.give(unit).get(3, [])
    assert len(second(made, 0, 7)) == 7 * FPS and len(second(made, 7, 10)) == 15
    before, after, slow = kbps(second(made, 1, 4)), kbps(second(made, 5, 7)), kbps(second(made, 8, 10))
    print(f"asked 1200, 400 and 400 kbit/s at 5 fps: {before:.0f}, {after:.0f}, {slow:.0f}")
    assert 900 < before < 1450 and 280 < after < 500 and 250 < slow < 520
    # A keyframe each second and nowhere else, also while frames become rarer (0.16 s late, once);
    # always the same picture to a player.
    keys = [unit for unit in made if unit.is_key]
    assert [unit.ts for unit in keys[:7]] == [n * TICKS for n in range(7)]
    assert [unit.ts for unit in keys[7:]] == [round((n + 0.16) * TICKS) for n in (7, 8, 9)]
    sets = {unit.data[: 4 + struct.unpack(">I", unit.data[:4])[0]] for unit in keys}
    assert len(sets) == 1


def test_renditions_of_one_decoding_begin_and_end_as_they_are_asked_for(
    xcode: Xcode, source: list[Unit]
) -> None:
    made: dict[int, list[Unit]] = {}
    xcode.rendition(0, (640, 360), 500, 10)
    for unit in source[: 4 * FPS]:
        if unit.ts == 2 * TICKS:
            # In the middle of a group of pictures; and one that goes on behind what there was.
            xcode.rendition(1, (320, 180), 200, FPS)
            xcode.rendition(2, (320, 180), 200, 5, after_ts=3 * TICKS)
        for number, units in xcode.give(unit).items():
            made.setdefault(number, []).extend(units)
    assert len(made[0]) == 40 and len(made[1]) == 50
    assert made[1][0].is_key and made[1][0].ts == 2 * TICKS
    assert made[2][0].is_key and made[2][0].ts == 3 * TICKS + TICKS // 5
    assert all(a.ts < b.ts for units in made.values() for a, b in zip(units, units[1:], strict=False))


def test_damaged_units_are_holes_and_not_the_end(xcode: Xcode, source: list[Unit]) -> None:
    dice = random.Random(6)
    xcode.rendition(0, (320, 180), 300, FPS)
    for unit in source[: 4 * FPS]:
        data = bytearray(unit.data)
        if dice.random() < 0.5:
            for _ in range(dice.randint(1, 40)):
                data[dice.randrange(4, len(data))] ^= 1 << dice.randrange(8)
        if dice.random() < 0.1:
            data = data[: dice.randrange(len(data))]
        xcode.give(Unit(unit.ts, unit.is_key, bytes(data)))
    xcode.send(FLUSH)
    made = [unit for given in source[: 2 * FPS] for unit in later(xcode, given)]
    assert len(made) == 2 * FPS and made[0].is_key


def later(xcode: Xcode, unit: Unit) -> list[Unit]:
    return xcode.give(Unit(unit.ts + 100 * TICKS, unit.is_key, unit.data)).get(0, [])


@pytest.mark.parametrize(
    "message",
    [
        b"\0" * HEAD.size,
        HEAD.pack(MAGIC, UNIT, 99, 0, 0, 0, 0),
        HEAD.pack(MAGIC, UNIT, 0, 0, 0, 1 << 30, 0),
        HEAD.pack(MAGIC, 77, 0, 0, 0, 0, 0),
    ],
    ids=["nothing", "number", "length", "kind"],
)
def test_what_is_no_message_ends_it(xcode: Xcode, message: bytes) -> None:
    xcode.pipe.sendall(message)
    assert xcode.process.wait(20) == 0
