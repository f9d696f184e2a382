# SPDX-License-Identifier: Apache-2.0
"""Pictures of exact moments on the real services: the test camera draws its clock into each frame, so
that a picture itself says when it was taken."""

from __future__ import annotations

import email.message
import email.policy
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest
from client import Answer, Api, fetch, wait_for
from conftest import stack_of
from dev.instance import Instance
from faults.processes import children, tell
from stack import Stack
from watching import claims, login

WIDTH, HEIGHT, FPS = 640, 360, 15
STAMP_BITS = 39
# What a camera's own clock may be off by, as its sender reports tell it.
CLOCK_MS = 5
HALF_FRAME_MS = 1000 / FPS / 2
BACK_S = 8
SHOTS, AGAIN_MAX = 10, 10
TOLERANCE_MS = 1000  # where none is named
VIEWER_MAX = 150
CAMERAS = {
    "tcp": (),
    "udp": (),
    "bframes": ("--bframes", "2"),
    "hevc": ("--codec", "h265"),
    "mjpeg": ("--codec", "mjpeg"),
}


@dataclass
class Eye:
    """A camera that is being read."""

    user: Api
    camera: str
    stream: str

    def ask(self, **query: object) -> Answer:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self.user.get(f"/v1/cameras/{self.camera}/snapshot" + (f"?{text}" if text else ""))


def text_of(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def now() -> datetime:
    return datetime.now(timezone.utc)


def time_in(answer: Answer, header: str) -> datetime:
    return datetime.fromisoformat(answer.headers[header].replace("Z", "+00:00"))


def luma(image: bytes) -> bytes:
    """The picture as grey pixels, by ffmpeg."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", "-", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        input=image, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == WIDTH * HEIGHT
    return done.stdout


def stamp_bits(grey: bytes, line: int) -> list[bool]:
    row, cell = grey[line * WIDTH : (line + 1) * WIDTH], WIDTH // 40
    return [row[i * cell + cell // 2] > 128 for i in range(STAMP_BITS + 1)]


def drawn(image: bytes) -> datetime:
    """The time in the picture (tests/camera/stamp.h)."""
    bits = stamp_bits(luma(image), 8)
    assert sum(bits) % 2 == 0, "the stamp's parity"
    low = int("".join("1" if bit else "0" for bit in bits[:STAMP_BITS]), 2)
    high = int(time.time() * 1000) >> STAMP_BITS << STAMP_BITS
    return datetime.fromtimestamp((high | low) / 1000, timezone.utc)


def ms(span: timedelta) -> float:
    return span.total_seconds() * 1000


stack = stack_of({"weir-api": {"WEIR_SNAPSHOTS_VIEWER_MAX": str(VIEWER_MAX)}})


@pytest.fixture(scope="module")
def eyes(stack: Stack) -> dict[str, Eye]:
    user = stack.user("acme")
    found = {}
    for name, flags in CAMERAS.items():
        url = stack.camera(f"eye-{name}", "--gop", "2", "--fps", str(FPS), *flags)
        transport = "udp" if name == "udp" else "tcp"
        camera = user.add_camera(name, url, idle_timeout_s=900, transport=transport)
        stream = user.start(camera["id"])
        found[name] = Eye(user, str(camera["id"]), str(stream["id"]))
    for eye in found.values():
        user.wait_state(eye.stream, "running")
        # Until its first sender report the camera's clock is not known.
        wait_for(
            "the camera's clock",
            lambda eye=eye: eye.ask(mode="latest").headers.get("weir-time-source") == "rtcp_sr",
            60,
        )
    # A whole ring, so that what is asked for below is there.
    for eye in found.values():
        wait_for("a full ring", lambda eye=eye: ring_s(eye) > BACK_S + 1, 60)
    return found


def ring_s(eye: Eye) -> float:
    answer = eye.ask(mode="latest").expect(200)
    return (time_in(answer, "weir-ring-to") - time_in(answer, "weir-ring-from")).total_seconds()


def gaps(eye: Eye) -> int:
    live = eye.user.get(f"/v1/cameras/{eye.camera}").expect(200).json["live"]
    return int(live["gaps"])


def shot(eye: Eye, at: datetime) -> float | None:
    """How far the drawn clock of one picture lies from the moment asked for, ms. None: by now it is
    gone from the ring, nobody had time for it, or the camera sent none."""
    answer = eye.ask(at=text_of(at))
    if answer.status == 410:
        assert time_in(answer, "weir-ring-from") > at
        return None
    if answer.status == 503:
        return None
    if answer.status == 409 and answer.json["code"] == "no_picture_near":
        # A camera that got no processor sent nothing for a while, and may still do so.
        if time_in(answer, "weir-ring-to") > at:
            nearest = eye.ask(at=text_of(at), tolerance_ms=60000).expect(200)
            assert abs(ms(time_in(nearest, "weir-frame-time") - at)) > TOLERANCE_MS
        return None
    asked = time_in(answer.expect(200), "weir-requested-time")
    frame, drew = time_in(answer, "weir-frame-time"), drawn(answer.body)
    assert abs(ms(asked - at)) < 1
    assert abs(ms(frame - asked) - float(answer.headers["weir-frame-error-ms"])) < 0.2
    assert answer.headers["weir-time-source"] == "rtcp_sr"
    assert "weir-frame-damaged" not in answer.headers
    # The picture agrees with what is said of it.
    assert abs(ms(drew - frame)) < HALF_FRAME_MS
    return abs(ms(drew - at))


def there_is_none_nearer(eye: Eye, at: datetime, off_ms: float) -> None:
    for aside_ms in (-HALF_FRAME_MS, HALF_FRAME_MS):
        answer = eye.ask(at=text_of(at + timedelta(milliseconds=aside_ms)))
        if answer.status == 200:
            other_ms = abs(ms(drawn(answer.body) - at))
            assert other_ms > off_ms - 1, f"{other_ms} ms off there is one, {off_ms} ms off was given"


@pytest.mark.parametrize("name", CAMERAS)
def test_the_frame_of_the_moment_and_its_true_time(eyes: dict[str, Eye], name: str) -> None:
    dice = random.Random(name)
    near: list[float] = []
    again: list[float | None] = []
    while len(near) < SHOTS:
        # Every other one at the live edge, where frames may still be on their way.
        back_s = dice.uniform(0, BACK_S if len(near) % 2 else 0.5)
        at = now() - timedelta(seconds=back_s)
        off_ms = shot(eyes[name], at)
        if off_ms is not None and off_ms <= HALF_FRAME_MS + CLOCK_MS:
            near.append(off_ms)
            continue
        # A camera that got no processor lost a frame here: then there is none that is nearer.
        if off_ms is not None:
            there_is_none_nearer(eyes[name], at, off_ms)
        again.append(off_ms)
        assert len(again) <= AGAIN_MAX, f"{again}, beside {near}"
    print(f"{name}: worst {max(near):.1f} ms between what was asked for and what is drawn; {again}")


def test_what_was_lost_on_the_way_is_said(stack: Stack, eyes: dict[str, Eye]) -> None:
    """One packet in a hundred: what is not said to be damaged shows the clock of its frame."""
    eye, dice = eyes["udp"], random.Random(1)
    found = {"whole": 0, "damaged": 0}

    def both() -> bool:
        answer = eye.ask(at=text_of(now() - timedelta(seconds=dice.uniform(0, BACK_S / 2))))
        if answer.status != 200:
            assert answer.status in (409, 410, 503), answer.body
        elif answer.headers.get("weir-frame-damaged") == "true":
            found["damaged"] += 1
        else:
            found["whole"] += 1
            off_ms = ms(drawn(answer.body) - time_in(answer, "weir-frame-time"))
            if abs(off_ms) >= HALF_FRAME_MS:
                pytest.fail(f"a picture {off_ms} ms off that is called whole")
        return min(found.values()) > 0

    def damaged_link() -> str | None:
        wish = {"at": text_of(now() - timedelta(seconds=dice.uniform(0, BACK_S / 2)))}
        answer = eye.user.call("POST", f"/v1/cameras/{eye.camera}/snapshots", wish)
        return answer.json["url"] if answer.status == 201 and answer.json["damaged"] else None

    stack.dev("camera", "fault", "eye-udp", "lossy")
    try:
        wait_for("pictures, whole ones and others", both, 60)
        wait_for("the holes are counted", lambda: gaps(eye) > 0, 60)
        # A link says it too: of what the worker keeps, nobody asks the ring.
        url = wait_for("a link to a damaged one", damaged_link, 60)
        assert shown(stack, url).expect(200).headers["weir-frame-damaged"] == "true"
    finally:
        stack.dev("camera", "fault", "eye-udp", "none")
    print(f"lossy: {found}")
    # A ring without a hole again, for the others.
    wait_for("whole pictures", lambda: "weir-frame-damaged" not in eye.ask().expect(200).headers, 60)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "avif"])
def test_each_format_shows_the_same_frame(eyes: dict[str, Eye], form: str) -> None:
    eye = eyes["tcp"]
    at = text_of(now() - timedelta(seconds=1))
    whole = eye.ask(at=at, format="png").expect(200)
    answer = eye.ask(at=at, format=form, quality=90).expect(200)
    assert answer.headers["content-type"] == f"image/{form}"
    assert answer.headers["weir-frame-time"] == whole.headers["weir-frame-time"]
    if form != "avif":  # Debian's ffmpeg reads no AVIF
        assert drawn(answer.body) == drawn(whole.body)
    else:
        assert answer.body[4:12] == b"ftypavif"


def test_a_picture_is_made_smaller_and_never_larger(eyes: dict[str, Eye]) -> None:
    sizes = {}
    for width in (160, 320, 8192):
        body = eyes["tcp"].ask(width=width, format="png").expect(200).body
        sizes[width] = (int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big"))
    assert sizes == {160: (160, 90), 320: (320, 180), 8192: (WIDTH, HEIGHT)}


def test_a_keyframe_is_one_and_the_latest_is_the_newest(eyes: dict[str, Eye]) -> None:
    eye = eyes["tcp"]
    # Keyframes are two seconds apart: what is nearest to them is one a second away at most.
    at = now() - timedelta(seconds=4)
    answers = [eye.ask(mode="keyframe", at=text_of(at + timedelta(seconds=s))) for s in (0, 1, 2, 3)]
    frames = sorted({time_in(answer.expect(200), "weir-frame-time") for answer in answers})
    assert 2 <= len(frames) <= 3
    gaps = [after - before for before, after in zip(frames, frames[1:], strict=False)]
    assert all(abs(gap.total_seconds() - 2) < 0.2 for gap in gaps), gaps
    latest = eye.ask(mode="latest").expect(200)
    assert latest.headers["weir-frame-time"] == latest.headers["weir-ring-to"]


def test_a_moment_that_is_to_come_is_waited_for(eyes: dict[str, Eye]) -> None:
    def near() -> bool:
        off_ms = shot(eyes["tcp"], now() + timedelta(seconds=1.5))
        return off_ms is not None and off_ms <= HALF_FRAME_MS + CLOCK_MS

    wait_for("the frame of a moment to come", near, 60)


def test_what_is_gone_is_gone_and_says_what_there_is(eyes: dict[str, Eye]) -> None:
    answer = eyes["tcp"].ask(at=text_of(now() - timedelta(minutes=5))).expect(410)
    assert answer.json["code"] == "outside_ring"
    assert time_in(answer, "weir-ring-from") < time_in(answer, "weir-ring-to")


def test_equal_questions_are_answered_by_one_picture(stack: Stack, eyes: dict[str, Eye]) -> None:
    eye = eyes["tcp"]
    at = text_of(now() - timedelta(seconds=2))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: eye.ask(at=at, quality=77), range(12)))
    assert len({answer.expect(200).body for answer in answers}) == 1
    assert len({answer.headers["etag"] for answer in answers}) == 1
    etag = answers[0].headers["etag"]
    again = eye.user.call(
        "GET", f"/v1/cameras/{eye.camera}/snapshot?at={at}&quality=77", headers={"If-None-Match": etag}
    )
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == etag


def test_an_encoders_delay_moves_the_time_of_what_comes(eyes: dict[str, Eye]) -> None:
    """This camera's reports tell the time that it draws: whatever delay is set shows between them."""
    eye = eyes["tcp"]

    def set_delay(delay_ms: object) -> Answer:
        return eye.user.call("PATCH", f"/v1/cameras/{eye.camera}", {"encoder_delay_ms": delay_ms})

    def hidden_ms(**query: object) -> float:
        answer = eye.ask(**query).expect(200)
        assert answer.headers["weir-time-source"] == "rtcp_sr"
        return ms(drawn(answer.body) - time_in(answer, "weir-frame-time"))

    for bad, code in ((-1, "out_of_range"), (5001, "out_of_range"), ("1", "wrong_type")):
        assert set_delay(bad).expect(422).json["code"] == code
    offset_ms = float(eye.ask(mode="latest").expect(200).headers["weir-clock-offset-ms"])
    try:
        assert set_delay(900).expect(200).json["encoder_delay_ms"] == 900
        wait_for("frames with the delay", lambda: abs(hidden_ms(mode="latest") - 900) < HALF_FRAME_MS, 60)
        began = now()
        wait_for("a moment behind it", lambda: now() - began > timedelta(seconds=3), 60)
        # What is asked for is found by that time too.
        answer = eye.ask(at=text_of(now() - timedelta(seconds=2))).expect(200)
        assert abs(ms(drawn(answer.body) - time_in(answer, "weir-requested-time")) - 900) < 100
        offset = float(eye.ask(mode="latest").expect(200).headers["weir-clock-offset-ms"])
        assert abs(offset - offset_ms) < 100
    finally:
        set_delay(0).expect(200)
    wait_for("frames without it", lambda: abs(hidden_ms(mode="latest")) < HALF_FRAME_MS, 60)
    assert eye.user.get(f"/v1/streams/{eye.stream}").json["state"] == "running"
    wait_for("a ring of one time", lambda: abs(hidden_ms(at=text_of(now() - timedelta(seconds=7)))) < 50, 60)


def combs(grey: bytes) -> int:
    """Below the stamp: pixels that stand out from the lines above and below, both the same way."""
    lines = [grey[i * WIDTH : (i + 1) * WIDTH] for i in range(20, HEIGHT)]
    return sum(
        abs(here - above) > 60 and abs(here - below) > 60 and (here > above) == (here > below)
        for upper, line, lower in zip(lines, lines[1:], lines[2:])
        for above, here, below in zip(upper, line, lower)
    )


def test_a_picture_that_was_taken_in_two_fields_is_of_one_moment(stack: Stack) -> None:
    """The ball that the camera draws flies on between the two."""
    user = stack.user("acme")
    url = stack.camera("fields", "--pixels", "interlaced", "--gop", "1", "--fps", str(FPS))
    eye = Eye(user, str(user.add_camera("fields", url, warm=True)["id"]), "")

    def has_ring() -> bool:
        answer = eye.ask(mode="latest")
        return answer.headers.get("weir-time-source") == "rtcp_sr" and ring_s(eye) > 3

    wait_for("a ring of a camera whose clock is known", has_ring, 90)
    found = []
    for back_ms in (300, 700, 1100, 1500, 1900, 2300):
        answer = eye.ask(at=text_of(now() - timedelta(milliseconds=back_ms)), format="png").expect(200)
        assert abs(ms(drawn(answer.body) - time_in(answer, "weir-frame-time"))) < HALF_FRAME_MS
        found.append(combs(luma(answer.body)))
    assert max(found) < 20, found  # hundreds, where the second field is left in


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"at": "2026-11-29T12:00:00"}, "wrong_type"),
        ({"at": "9999-01-01T00:00:00Z"}, "out_of_range"),
        ({"tolerance_ms": -1}, "out_of_range"),
        ({"width": 0}, "out_of_range"),
        ({"width": 100000}, "out_of_range"),
        ({"format": "gif"}, "unknown_value"),
        ({"mode": "nearest"}, "unknown_value"),
        ({"quality": 101}, "out_of_range"),
        ({"fps": 1}, "unknown_parameter"),
        ({"start": "yes"}, "unknown_value"),
        ({"start": "true", "at": "2026-11-29T12:00:00Z"}, "out_of_range"),
    ],
)
def test_a_question_that_is_none_is_refused(
    eyes: dict[str, Eye], query: dict[str, object], code: str
) -> None:
    answer = eyes["tcp"].ask(**query).expect(422)
    assert answer.json["code"] == code


def test_only_its_own_tenant_sees_it(stack: Stack, eyes: dict[str, Eye]) -> None:
    other = stack.user("other")
    path = "/v1/cameras/{}/snapshot"
    foreign = other.get(path.format(eyes["tcp"].camera)).expect(404)
    unknown = other.get(path.format(uuid.uuid4())).expect(404)
    assert {**foreign.json, "request_id": ""} == {**unknown.json, "request_id": ""}
    fetch(stack.api_url + path.format(eyes["tcp"].camera)).expect(401)
    # Nor does the worker's door, without the secret.
    port = Instance(stack.home, stack.port_base).origin_port(0)
    fetch(f"http://127.0.0.1:{port}/still/v1/{uuid.uuid4()}/{eyes['tcp'].camera}").expect(401)


def test_a_guest_takes_pictures_of_what_is_granted(stack: Stack, eyes: dict[str, Eye]) -> None:
    admin, guest = eyes["tcp"].user, login(stack, "acme", "guest")
    mine, other = (Eye(guest, eyes[name].camera, "") for name in ("tcp", "udp"))
    for eye in (mine, other):
        assert eye.ask().expect(404).json["code"] == "not_found"
    group = admin.call("POST", "/v1/groups", {"name": "some"}).expect(201).json["id"]
    admin.call("PUT", f"/v1/groups/{group}/cameras/{mine.camera}").expect(204)
    body = {"subject": claims(guest)["sub"], "group_id": group, "role": "viewer"}
    admin.call("POST", "/v1/grants", body).expect(201)
    assert mine.ask(width=64).expect(200).headers["content-type"] == "image/jpeg"
    other.ask().expect(404)
    assert Eye(login(stack, "acme"), mine.camera, "").ask(width=64).expect(200)
    path = f"/v1/cameras/{mine.camera}/snapshots"
    url = guest.call("POST", path, {"width": 64}).expect(201).json["url"]
    shown(stack, url).expect(200)
    admin.call("DELETE", f"/v1/groups/{group}").expect(204)
    mine.ask().expect(404)
    guest.call("POST", path, {"width": 64}).expect(404)
    wait_for("the link's end", lambda: shown(stack, url).status == 410, 60)


AHEAD_S = 1.9


def asked_ahead(eye: Eye, end: Callable[[], bool]) -> Answer | None:
    """The answer to a question for a moment to come, if `end` was true and over before that moment."""
    at = now() + timedelta(seconds=AHEAD_S)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(eye.ask, at=text_of(at), width=64, tolerance_ms=5000)
        time.sleep(0.3)  # until it waits
        has_ended = end()
        in_time = now() < at - timedelta(milliseconds=50)
        return answer.result() if has_ended and in_time else None


def refused_ahead(ask: Callable[[], Answer | None]) -> Answer:
    for _ in range(10):
        answer = ask()
        if answer is not None:
            return answer
    raise AssertionError("no right ended before the moment that was asked for")


def test_who_loses_his_right_while_the_moment_is_waited_for_gets_no_picture(
    stack: Stack, eyes: dict[str, Eye]
) -> None:
    admin, camera = eyes["tcp"].user, eyes["tcp"].camera
    group = admin.call("POST", "/v1/groups", {"name": "soon over"}).expect(201).json["id"]
    admin.call("PUT", f"/v1/groups/{group}/cameras/{camera}").expect(204)

    def of_a_guest() -> Answer | None:
        guest = login(stack, "acme", "guest")
        body = {"subject": claims(guest)["sub"], "group_id": group, "role": "viewer"}
        grant = admin.call("POST", "/v1/grants", body).expect(201).json["id"]
        eye = Eye(guest, camera, "")
        eye.ask(width=64).expect(200)
        return asked_ahead(eye, lambda: admin.call("DELETE", f"/v1/grants/{grant}").status == 204)

    def of_a_viewer() -> Answer | None:
        viewer = login(stack, "acme")
        eye = Eye(viewer, camera, "")
        eye.ask(width=64).expect(200)

        def end() -> bool:
            body = {"kind": "subject", "object_id": claims(viewer)["sub"], "reason": "test"}
            admin.call("POST", "/v1/revocations", body).expect(201)
            wait_for("it is refused", lambda: viewer.get("/v1/cameras?limit=1").status == 401, 60, 0.02)
            return True

        return asked_ahead(eye, end)

    assert refused_ahead(of_a_guest).expect(404).json["code"] == "not_found"
    assert refused_ahead(of_a_viewer).expect(401)
    admin.call("DELETE", f"/v1/groups/{group}").expect(204)


def test_who_asks_too_often_hears_so(stack: Stack, eyes: dict[str, Eye]) -> None:
    eager = Eye(login(stack, "acme"), eyes["tcp"].camera, "")
    long_ago = text_of(now() - timedelta(minutes=5))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: eager.ask(at=long_ago), range(2 * VIEWER_MAX)))
    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} <= {410, 429, 503}
    assert refused, "no limit in sight"
    assert all(answer.json["code"] == "quota_exceeded" for answer in refused)
    assert all(1 <= int(answer.headers["retry-after"]) <= 11 for answer in refused)
    # Nobody else is held up.
    assert eyes["tcp"].ask(width=64).expect(200)


def test_a_camera_that_nobody_reads_is_not_running(stack: Stack) -> None:
    user = stack.user("acme")
    camera = user.add_camera("dark", stack.camera("dark"))
    answer = user.get(f"/v1/cameras/{camera['id']}/snapshot").expect(409)
    assert answer.json["code"] == "not_running"


def test_it_is_started_for_a_picture(stack: Stack) -> None:
    user = stack.user("acme")
    cameras = {"asleep": stack.camera("asleep", "--gop", "1"), "gone": "rtsp://127.0.0.1:1/none"}
    eyes = {name: Eye(user, user.add_camera(name, url)["id"], "") for name, url in cameras.items()}
    warm = Eye(user, user.add_camera("awake", stack.camera("awake", "--gop", "1"), warm=True)["id"], "")
    with ThreadPoolExecutor() as pool:
        gone = pool.submit(eyes["gone"].ask, start="true")
        answer = eyes["asleep"].ask(start="true").expect(200, 202)
        while answer.status == 202:  # a slow machine
            assert user.get(answer.headers["location"]).expect(200).json["state"] != "failed"
            answer = eyes["asleep"].ask(start="true").expect(200, 202)
        assert abs(ms(drawn(answer.body) - time_in(answer, "weir-frame-time"))) <= 1000
        late = gone.result().expect(202)
    assert late.headers["location"] == f"/v1/streams/{late.json['stream_id']}"
    assert late.headers["retry-after"] == "1"
    assert late.json["state"] not in ("running", "stopped"), late.json
    # As anybody's stream, after those who watch.
    stream = user.get(f"/v1/streams?camera_id={eyes['asleep'].camera}").expect(200).json["items"]
    assert [(one["quality"], one["fps"], one["class"]) for one in stream] == [("source", 0, 2)]
    # What is read needs none.
    wait_for("a picture of the warm one", lambda: warm.ask().status == 200, 60)
    warm.ask(start="true").expect(200)
    assert user.get(f"/v1/streams?camera_id={warm.camera}").expect(200).json["items"] == []
    for one in (stream[0]["id"], late.json["stream_id"]):
        user.call("DELETE", f"/v1/streams/{one}").expect(202)


def test_several_come_in_one_answer(eyes: dict[str, Eye]) -> None:
    eye = eyes["bframes"]
    path = f"/v1/cameras/{eye.camera}/snapshots"
    begin = now() - timedelta(seconds=3)
    end = begin + timedelta(seconds=2.5)
    answer = eye.user.get(f"{path}?from={text_of(begin)}&to={text_of(end)}&every=500").expect(200)
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP).iter_parts()
    frames = []
    for part in parts:
        assert isinstance(part, email.message.EmailMessage)
        assert part.get_content_type() == "image/jpeg"
        frame = datetime.fromisoformat(part["Weir-Frame-Time"].replace("Z", "+00:00"))
        image = part.get_content()
        assert len(image) == int(part["Content-Length"])
        assert abs(ms(drawn(image) - frame)) < HALF_FRAME_MS
        assert abs(float(part["Weir-Frame-Error-Ms"])) <= 250
        frames.append(frame)
    assert frames == sorted(set(frames)) and 4 <= len(frames) <= 6
    old = eye.user.get(f"{path}?from={text_of(begin - timedelta(minutes=1))}&to={text_of(end)}&every=2000")
    assert old.expect(410).json["code"] == "outside_ring"
    assert time_in(old, "weir-ring-from") > begin - timedelta(minutes=1)
    for query in (f"from={text_of(begin)}", f"from={text_of(begin)}&to={text_of(end)}&every=40", "at=now"):
        eye.user.get(f"{path}?{query}").expect(422)


def shown(stack: Stack, url: str) -> Answer:
    """A link is followed without a token, as a page does it."""
    return fetch(stack.api_url + url)


def test_a_link_shows_a_picture_for_a_minute(stack: Stack, eyes: dict[str, Eye]) -> None:
    eye = eyes["tcp"]
    path = f"/v1/cameras/{eye.camera}/snapshots"

    def take() -> Answer:  # of what leaves the ring soon
        latest = eye.ask(mode="latest", width=64).expect(200)
        at = text_of(time_in(latest, "weir-ring-from") + timedelta(seconds=1))
        return eye.user.call("POST", path, {"at": at, "format": "png", "width": 8192}).expect(201)

    answer = wait_for("a picture", take, 60)
    made = answer.json
    assert made["url"] == answer.headers["location"]
    assert (made["width"], made["height"], made["format"]) == (WIDTH, HEIGHT, "png")
    assert made["camera_id"] == eye.camera and not made["damaged"]
    assert made["time_source"] == "rtcp_sr" and made["clock_offset_us"] is not None
    assert 0 <= made["clock_scatter_us"] < 25000  # those further off are left out
    frame = datetime.fromisoformat(made["frame_time"].replace("Z", "+00:00"))
    asked = datetime.fromisoformat(made["requested_time"].replace("Z", "+00:00"))
    assert abs(ms(frame - asked) * 1000 - made["frame_error_us"]) < 2
    assert abs(made["frame_error_us"]) < 1000000
    first = shown(stack, made["url"]).expect(200)
    assert first.headers["content-type"] == "image/png" and len(first.body) == made["bytes"]
    assert first.headers["weir-frame-time"] == made["frame_time"]
    assert first.headers["cache-control"] == "private, no-store"
    assert abs(ms(drawn(first.body) - frame)) < HALF_FRAME_MS

    # It opens this picture and nothing else, and plays nothing.
    ticket, name = made["url"].split("/")[-2:]
    other = eye.user.call("POST", path, {"width": 64}).expect(201).json["url"]
    for wrong in (
        f"/v1/snapshots/{ticket}/{other.split('/')[-1]}",
        f"/v1/snapshots/{ticket}/{name.replace('.png.', '.jpeg.')}",
        f"/v1/snapshots/{ticket[:-4]}AAAA/{name}",
        f"/v1/snapshots/x/{name}",
        f"/v1/snapshots/{ticket}/x",
    ):
        assert shown(stack, wrong).expect(404).json["code"] == "not_found"
    play = f"{stack.values['WEIR_GATEWAY_URL']}/live/{ticket}/{eye.stream}/index.m3u8"
    assert fetch(play).status in (401, 403, 404)
    for bad, code in (({"width": 0}, "out_of_range"), ({"at": "2026-11-29T12:00:00"}, "wrong_type"),
                      ({"format": "gif"}, "unknown_value"), ({"fps": 1}, "unknown_field")):  # fmt: skip
        assert eye.user.call("POST", path, bad).expect(422).json["code"] == code
    assert login(stack, "other", "admin").call("POST", path, {}).expect(404)

    # The ring goes on; the worker keeps the picture.
    wait_for("the ring has gone on", lambda: eye.ask(at=made["frame_time"]).status == 410, 60)
    assert shown(stack, made["url"]).expect(200).body == first.body


def test_a_link_ends_with_the_right_to_it(stack: Stack, eyes: dict[str, Eye]) -> None:
    eye, viewer = eyes["udp"], login(stack, "acme")
    path = f"/v1/cameras/{eye.camera}/snapshots"
    ahead = text_of(now() + timedelta(seconds=1))
    url = viewer.call("POST", path, {"width": 64, "at": ahead}).expect(201).json["url"]
    shown(stack, url).expect(200)
    body = {"kind": "subject", "object_id": claims(viewer)["sub"], "reason": "test"}
    eye.user.call("POST", "/v1/revocations", body).expect(201)
    wait_for("the link's end", lambda: shown(stack, url).status == 410, 60)
    assert shown(stack, url).json["code"] == "link_expired"


def hold_up_nobody(stalled: Eye, well: Eye) -> None:
    """More questions than there are threads, each of which waits two seconds for its frame."""
    with ThreadPoolExecutor(60) as pool:
        asked = [pool.submit(stalled.ask, width=64 + i) for i in range(60)]
        refused = next(one.result() for one in as_completed(asked)).expect(503)
        assert refused.headers["retry-after"] == "1"
        assert "of this camera" in refused.json["detail"], refused.json
        assert well.ask(width=80).expect(200)
        waiting = [one for one in asked if not one.done()]
        stalled_answers = {one.result().status for one in waiting}
    assert stalled_answers <= {409, 503}, stalled_answers


def test_a_camera_that_stalls_shows_nothing_old_and_holds_up_nobody(
    stack: Stack, eyes: dict[str, Eye]
) -> None:
    user = stack.user("acme")
    camera = user.add_camera("stall", stack.camera("stall", "--gop", "1"), idle_timeout_s=900)
    stream = user.start(camera["id"])
    eye = Eye(user, str(camera["id"]), str(stream["id"]))
    user.wait_state(eye.stream, "running")
    eye.ask().expect(200)
    before = now()
    stack.dev("camera", "fault", "stall", "freeze")
    wait_for("no frame near", lambda: eye.ask(mode="latest", tolerance_ms=1500).status == 409, 60)
    assert eye.ask().expect(409).json["code"] == "no_picture_near"
    hold_up_nobody(eye, eyes["tcp"])
    # What it sent before is there, under its own time.
    answer = eye.ask(at=text_of(before)).expect(200)
    assert abs(float(answer.headers["weir-frame-error-ms"])) < 1000
    stack.dev("camera", "fault", "stall", "none")


def test_decoders_that_die_or_hang_are_replaced(stack: Stack, eyes: dict[str, Eye]) -> None:
    eye = eyes["tcp"]
    stills = children(stack.home, "worker-0", "weir-still")
    assert len(stills) == 1
    for fault in (signal.SIGKILL, signal.SIGSTOP):
        decoders = children(stack.home, "worker-0", "weir-decode")
        assert decoders
        tell(decoders, fault)
        # A hung one costs who asks for it three seconds and a refusal; never a wrong picture.
        answer = wait_for("a picture", lambda: asked(eye), 60)
        assert abs(ms(drawn(answer.body) - time_in(answer, "weir-frame-time"))) < HALF_FRAME_MS
        wait_for("new decoders", lambda old=decoders: renewed(stack, eye, old), 60)
    tell(stills, signal.SIGKILL)
    wait_for("pictures again", lambda: asked(eye), 60)
    stack.user("acme").wait_state(eye.stream, "running")


def asked(eye: Eye) -> Answer | None:
    answer = eye.ask(quality=random.randrange(1, 100))
    return answer if answer.status == 200 else None


def renewed(stack: Stack, eye: Eye, old: list[int]) -> bool:
    """Each is noticed when it is asked for, at the latest."""
    asked(eye)
    return not set(old) & set(children(stack.home, "worker-0", "weir-decode"))


def test_the_audit_knows_who_took_it(stack: Stack, eyes: dict[str, Eye]) -> None:
    eye = eyes["tcp"]
    path = f"/v1/cameras/{eye.camera}/snapshots"
    frame = eye.ask().expect(200).headers["weir-frame-time"]
    made = eye.user.call("POST", path, {"width": 64}).expect(201).json
    shown(stack, made["url"]).expect(200)
    begin = now() - timedelta(seconds=2)
    eye.user.get(f"{path}?from={text_of(begin)}&to={text_of(begin)}").expect(200)
    subject = claims(eye.user)["sub"]
    expected = {
        "snapshot.take": (subject, frame),
        "snapshot.link": (subject, made["frame_time"]),
        "snapshot.show": ("link", made["frame_time"]),
        "snapshot.lapse": (subject, f"1 frames from {text_of(begin)[:-1]}"),
    }

    def noted() -> dict[str, str] | None:
        """The details of all four, by their action."""
        events = eye.user.get("/v1/audit-events?limit=200").expect(200).json["items"]
        found = {}
        for action, (actor, text) in expected.items():
            for event in events:
                is_it = (event.get("action"), event.get("actor")) == (action, actor)
                if is_it and event["object_id"] == eye.camera and text in event["detail"]:
                    found[action] = str(event["detail"])
        return found if len(found) == len(expected) else None

    details = wait_for("the audit's events", noted, 60)
    # By its ticket it is known whose link was followed.
    assert details["snapshot.show"] == details["snapshot.link"]
