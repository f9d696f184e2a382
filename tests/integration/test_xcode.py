# SPDX-License-Identifier: Apache-2.0
"""weir-xcode by itself: what it keeps to, what can be changed while it runs, what it survives; and the
same of weir-xcode-ffmpeg, but for what an open encoder alone can do (test_xcode_ffmpeg.py)."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from xcode_rig import (
    DROP, HEAD, MAGIC, TICKS, UNIT, Unit, Xcode, apart, clip, encoded, ffmpeg, kbps, planes, stream_of,
)  # fmt: skip

FPS = 25
BOTH = pytest.mark.parametrize("engine", ["libav", "ffmpeg"])


@pytest.fixture(scope="module")
def source() -> list[Unit]:
    return clip("640x360", FPS, 10)


@pytest.fixture
def engine() -> str:
    return "libav"


@pytest.fixture
def xcode(tmp_path: Path, engine: str) -> Iterator[Xcode]:
    made = Xcode(tmp_path, engine=engine)
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


def test_a_rendition_is_the_same_beside_a_larger_one(tmp_path: Path) -> None:
    """Which it is drawn from, while that is there and has the frame, whatever their numbers are."""
    film = clip("960x540", FPS, 4)
    made: list[list[Unit]] = []
    for is_beside in (True, False):
        xcode = Xcode(tmp_path)
        try:
            xcode.rendition(0, (320, 180), 500, FPS)
            if is_beside:
                xcode.rendition(1, (640, 360), 1000, 15)
            both = xcode.give_all(film[: 2 * FPS], is_end=False)
            if is_beside:
                xcode.send(DROP, number=1)
                assert len(both[1]) == 30
            made.append(both[0] + xcode.give_all(film[2 * FPS :])[0])
        finally:
            xcode.close()
    beside, alone = made
    assert [unit.ts for unit in beside] == [unit.ts for unit in alone] == [unit.ts for unit in film]
    assert apart(planes(stream_of(beside)), planes(stream_of(alone))) < 1


@BOTH
def test_damaged_units_are_holes_and_not_the_end(xcode: Xcode, source: list[Unit]) -> None:
    dice = random.Random(6)
    damaged: list[Unit] = []
    xcode.rendition(0, (320, 180), 300, FPS)
    for unit in source[: 4 * FPS]:
        data = bytearray(unit.data)
        if dice.random() < 0.5:
            for _ in range(dice.randint(1, 40)):
                data[dice.randrange(4, len(data))] ^= 1 << dice.randrange(8)
        if dice.random() < 0.1:
            data = data[: dice.randrange(len(data))]
        damaged.append(Unit(unit.ts, unit.is_key, bytes(data)))
    xcode.give_all(damaged)
    made = xcode.give_all([Unit(x.ts + 100 * TICKS, x.is_key, x.data) for x in source[: 2 * FPS]])[0]
    assert len(made) == 2 * FPS and made[0].is_key


# All of it moves, 8 pixels from field to field.
MOVING = "testsrc2=size=320x192:rate=50:duration=1,scroll=horizontal=0.025"
FRAME = 320 * 192 * 3 // 2


@BOTH
@pytest.mark.parametrize("first", ["top", "bottom"])
def test_a_picture_in_fields_is_whole_at_the_time_of_the_first_one(xcode: Xcode, first: str) -> None:
    order = ["-flags", "+ildct+ilme", "-top", "1" if first == "top" else "0"]
    fields = encoded("-f", "lavfi", "-i", f"{MOVING},tinterlace=interleave_{first}", *order,
                     fps=FPS, params=f"{first[0]}ff=1")  # fmt: skip
    # What was before the lens when the first field of each frame was taken.
    truth = ffmpeg("-f", "lavfi", "-i", MOVING, "-pix_fmt", "yuv420p", "-f", "rawvideo")
    xcode.rendition(0, (320, 192), 3000, FPS)
    made = xcode.give_all(fields)[0]
    assert [unit.ts for unit in made] == [unit.ts for unit in fields]
    combed, whole = planes(stream_of(fields)), planes(stream_of(made))
    assert len(whole) == len(combed) == FPS * FRAME
    for n in (3, 11, 20):
        one = slice(n * FRAME, n * FRAME + 320 * 192)
        was = truth[2 * n * FRAME : 2 * n * FRAME + 320 * 192]
        before, after = apart(combed[one], was), apart(whole[one], was)
        print(f"frame {n}: {before:.1f} in fields, {after:.1f} whole")
        assert before > 2.5 * after


@BOTH
@pytest.mark.parametrize("pixels", ["yuv422p", "yuv420p10le", "yuv422p10le"])
def test_more_colour_and_more_bits_become_what_players_show(xcode: Xcode, pixels: str) -> None:
    source = "testsrc2=size=320x192:rate=25:duration=0.4"
    deep = encoded("-f", "lavfi", "-i", source, "-pix_fmt", pixels, fps=FPS)
    truth = ffmpeg("-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-f", "rawvideo")
    xcode.rendition(0, (320, 192), 3000, FPS)
    made = xcode.give_all(deep)[0]
    # Main and High profile: both are 4:2:0 and 8 bit (ITU-T H.264, A.2.2 and A.2.4).
    assert made[0].data[4] & 31 == 7 and made[0].data[5] in (77, 100)
    shown = planes(stream_of(made))
    assert len(shown) == len(truth)
    last = slice(len(shown) - FRAME, len(shown))
    assert apart(shown[last], truth[last]) < 6


@BOTH
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
