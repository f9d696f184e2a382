# SPDX-License-Identifier: Apache-2.0
"""weir-xcode by itself, as it makes sound: what it takes, where it lies in time, what it survives."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from xcode_rig import (
    G726, G726_LOW_FIRST, PCMA, PCMU, SOUND, SOUND_HZ, SOUND_NONE, SOUND_SAMPLES, SOUND_SPEC, SOUND_UNIT,
    TICKS, Unit, Xcode, clip, ffmpeg,
)  # fmt: skip

PACKET_S = 0.02
BEGIN = 1000 * TICKS  # of the line that the packets lie on
# A tone of 40 ms at the begin of each second.
TONES = "aevalsrc=0.6*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.04):s={rate}:d={seconds}"


@pytest.fixture
def xcode(tmp_path: Path) -> Iterator[Xcode]:
    made = Xcode(tmp_path)
    try:
        yield made
    finally:
        made.close()


def packets(codec: str, form: str, bytes_a_second: int, seconds: int, rate: int = 8000) -> list[Unit]:
    bits = ["-b:a", f"{bytes_a_second * 8}"] if "726" in codec else []
    data = ffmpeg("-f", "lavfi", "-i", TONES.format(rate=rate, seconds=seconds), "-c:a", codec, *bits,
                  "-f", form)  # fmt: skip
    size = round(bytes_a_second * PACKET_S)
    return [
        Unit(BEGIN + round(n * PACKET_S * TICKS), False, data[n * size : (n + 1) * size])
        for n in range(len(data) // size)
    ]


def tones(made: list[Unit]) -> list[float]:
    """When it becomes loud, in seconds behind the begin of the line; each unit is decoded."""
    stream = b""
    for unit in made:
        # ADTS (ISO/IEC 13818-7, 6.2): LC, 16 kHz, one channel.
        length = len(unit.data) + 7
        stream += struct.pack(">IBH", 0xFFF16040 | length >> 11, length >> 3 & 255, (length & 7) << 13 | 0x1FFC)
        stream += unit.data
    pcm = ffmpeg("-f", "aac", "-i", "-", "-ac", "1", "-ar", str(SOUND_HZ), "-f", "s16le", data=stream)
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    assert abs(len(samples) - len(made) * SOUND_SAMPLES) <= SOUND_SAMPLES
    found: list[float] = []
    for at, sample in enumerate(samples):
        time = (made[at // SOUND_SAMPLES].ts - BEGIN) / TICKS + at % SOUND_SAMPLES / SOUND_HZ
        if abs(sample) > 3000 and (not found or time - found[-1] > 0.5):
            found.append(time)
    return found


def hear(xcode: Xcode, given: list[Unit]) -> list[Unit]:
    made = [unit for packet in given for unit in xcode.hear(packet.data, packet.ts)]
    steps = [b.ts - a.ts for a, b in zip(made, made[1:], strict=False)]
    assert all(step > 0 for step in steps)
    return made


@pytest.mark.parametrize(
    ("codec", "spec", "rate", "form"),
    [
        ("pcm_alaw", (PCMA, 8000, 1, 0), 8000, "alaw"),
        ("pcm_mulaw", (PCMU, 8000, 1, 0), 8000, "mulaw"),
        ("pcm_alaw", (PCMA, 16000, 1, 0), 16000, "alaw"),
        ("g726", (G726, 8000, 1, 4), 4000, "g726"),
        ("g726", (G726, 8000, 1, 2), 2000, "g726"),
        ("g726le", (G726_LOW_FIRST, 8000, 1, 5), 5000, "g726le"),
    ],
    ids=["pcma", "pcmu", "pcma-16k", "g726-32", "g726-16", "g726-40-low"],
)
def test_what_hls_cannot_carry_is_heard_at_its_time(
    xcode: Xcode, codec: str, spec: tuple[int, int, int, int], rate: int, form: str
) -> None:
    xcode.sound(*spec)
    made = hear(xcode, packets(codec, form, rate, 4, spec[1]))
    # An encoder holds one unit back, and what does not fill one.
    assert len(made) >= 4 * SOUND_HZ / SOUND_SAMPLES - 3
    assert {b.ts - a.ts for a, b in zip(made, made[1:], strict=False)} == {5760}
    heard = tones(made)
    print(f"heard at {heard}")
    assert len(heard) == 4 and all(abs(time - n) < 0.015 for n, time in enumerate(heard))


def test_what_is_lost_is_silence_and_what_comes_after_is_in_time(xcode: Xcode) -> None:
    """Single packets, and half a second."""
    given = packets("pcm_alaw", "alaw", 8000, 6)
    kept = [p for n, p in enumerate(given) if n % 17 != 5 and not 125 <= n < 148]
    xcode.sound(PCMA)
    heard = tones(hear(xcode, kept))
    print(f"heard at {heard}")
    assert len(heard) == 6 and all(abs(time - n) < 0.05 for n, time in enumerate(heard))


def test_a_clock_that_runs_apart_is_followed(xcode: Xcode) -> None:
    """A thousandth: what is heard stays where the times of the packets say."""
    given = packets("pcm_alaw", "alaw", 8000, 30)
    apart = [Unit(BEGIN + round((p.ts - BEGIN) * 1.001), False, p.data) for p in given]
    xcode.sound(PCMA)
    heard = tones(hear(xcode, apart))
    off = [time - n * 1.001 for n, time in enumerate(heard)]
    print(f"off by, ms: {[round(x * 1000) for x in off]}")
    assert len(heard) == 30 and all(abs(x) < 0.05 for x in off)


def test_times_that_jump_begin_anew(xcode: Xcode) -> None:
    given = packets("pcm_mulaw", "mulaw", 8000, 4)
    xcode.sound(PCMU)
    far = [Unit(p.ts + (60 * TICKS if n >= 100 else 0), False, p.data) for n, p in enumerate(given)]
    heard = tones(hear(xcode, far))
    assert len(heard) == 4
    assert all(abs(time - when) < 0.015 for time, when in zip(heard, [0, 1, 62, 63], strict=True))


def test_what_makes_no_sense_is_no_sound_and_harms_no_picture(xcode: Xcode) -> None:
    chance = random.Random(46)
    for spec in ((9, 8000, 1, 0), (PCMA, 7999, 1, 0), (PCMA, 8000, 3, 0), (G726, 8000, 1, 6), (PCMA, 8000, 1, 4)):
        xcode.send(SOUND, SOUND_SPEC.pack(*spec))
        assert xcode.next()[0] == SOUND_NONE
        # What comes all the same is read over.
        assert xcode.hear(b"sound", 0) == []
    xcode.sound(G726, bits=3)
    for n in range(200):
        xcode.hear(chance.randbytes(chance.randrange(0, 8192)), chance.randrange(-(1 << 40), 1 << 40))
    xcode.rendition(1, (320, 180), 300, 25)
    made = [len(xcode.give(unit).get(1, [])) for unit in clip("320x180", 25, 1)]
    assert sum(made) == 25
    xcode.sound(PCMA)
    assert len(tones(hear(xcode, packets("pcm_alaw", "alaw", 8000, 2)))) == 2


def test_more_than_a_packet_may_have_ends_it(xcode: Xcode) -> None:
    xcode.sound(PCMA)
    with pytest.raises((AssertionError, ConnectionError, BrokenPipeError)):
        xcode.send(SOUND_UNIT, bytes(8193))
        xcode.next()
    assert xcode.process.wait(10) == 0
