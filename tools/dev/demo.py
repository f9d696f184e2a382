# SPDX-License-Identifier: Apache-2.0
"""The demo: a tenant, a camera and a stream, made by REST, then watched through the gateway."""

from __future__ import annotations

import re
import time
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import Any

from dev import cameras, rest, tokens
from dev.instance import Instance
from dev.ui import DevError, Step, say

TENANT = "demo"
CAMERA = "demo"
START_TIMEOUT_S = 30


@dataclass(frozen=True)
class Demo:
    camera_id: str
    stream_id: str
    play_url: str


def api_url(instance: Instance) -> str:
    return f"http://{instance.address('api')}"


def ensure_tenant(instance: Instance, name: str) -> None:
    """Makes the tenant by REST; one that is there already is fine."""
    answer = rest.request(
        "POST",
        f"{api_url(instance)}/v1/tenants",
        token=tokens.mint(instance, "platform", role="platform", ttl_s=300),
        body={"id": tokens.tenant_id(name), "name": name},
    )
    if answer.status not in (200, 201, 409):
        raise DevError(f"the tenant {name!r} is not accepted: {answer.problem()}")


class Client:
    """The demo tenant's administrator. A failed call names itself, and the log of the api."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.token = tokens.mint(instance, TENANT, ttl_s=600)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{api_url(self.instance)}{path}"
        answer = rest.request(method, url, token=self.token, body=body, headers=sent, timeout_s=40)
        if not 200 <= answer.status < 300:
            log = self.instance.log_of("api")
            raise DevError(f"{method} {path}: {answer.problem()}", log)
        return answer.json()


def run(instance: Instance, *, watch_it: bool) -> Demo:
    """Makes what is missing of the demo, asks for its stream, and watches it when told to.

    Unwatched it takes a moment only: the URL plays all the same, since the gateway holds the first
    request until the stream runs.
    """
    cameras.start(instance, CAMERA, {"fps": 15, "gop": 15})
    with Step("demo tenant and camera"):
        ensure_tenant(instance, TENANT)
        client = Client(instance)
        camera_id = ensure_camera(instance, client)
    with Step("demo stream") as step:
        wanted = {"camera_id": camera_id, "quality": "source"}
        stream = client.call("POST", "/v1/streams", wanted)
        if watch_it:
            stream = wait_until_running(client, stream)
        play_url = str(client.call("POST", f"/v1/streams/{stream['id']}/tickets")["url"])
        step.note = stream["state"]
    if watch_it:
        with Step("playlist and segment through the gateway") as step:
            step.note = watch(instance, play_url)
    return Demo(camera_id, stream["id"], play_url)


def ensure_camera(instance: Instance, client: Client) -> str:
    for camera in client.call("GET", "/v1/cameras")["items"]:
        if camera["name"] == CAMERA:
            return str(camera["id"])
    known = cameras.load(instance, CAMERA)
    if known is None:
        raise DevError("the demo camera is gone")
    source = {"url": known.url, "transport": "tcp"}
    made = client.call("POST", "/v1/cameras", {"name": CAMERA, "source": source})
    return str(made["id"])


def wait_until_running(client: Client, stream: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while stream["state"] != "running":
        if stream["state"] in ("failed", "rejected", "expired", "cancelled", "stopped"):
            raise DevError(f"the stream is {stream['state']}: {stream.get('reason')}")
        if time.monotonic() > deadline:
            state, reason = stream["state"], stream.get("reason")
            log = client.instance.log_of("worker-0")
            raise DevError(f"still {state} ({reason}) after {START_TIMEOUT_S} s", log)
        time.sleep(0.05)
        stream = client.call("GET", f"/v1/streams/{stream['id']}", Prefer="wait=2")
    return stream


def watch(instance: Instance, play_url: str) -> str:
    """Fetches what a player fetches: index, media playlist, and its last segment."""
    log = instance.home / "gateway" / "logs" / "access.log"
    url, text = play_url, ""
    for _ in range(2):
        answer = get_patiently(url)
        if answer.status != 200:
            raise DevError(f"the playlist does not come: {answer.problem()}", log)
        url, text = answer.url, answer.body.decode("utf-8", "replace")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        if not lines:
            raise DevError(f"the playlist names nothing: {text[:200]!r}", log)
        if "#EXT-X-STREAM-INF" not in text:
            break
        url = urllib.parse.urljoin(url, lines[0])
    segment = rest.get(urllib.parse.urljoin(url, lines[-1]), timeout_s=15)
    if segment.status != 200 or not segment.body:
        raise DevError(f"the segment does not come: {segment.problem()}", log)
    seconds = re.findall(r"#EXTINF:([\d.]+)", text)
    return f"{len(seconds)} segments, the last one {len(segment.body):,} bytes"


def get_patiently(url: str) -> rest.Answer:
    deadline = time.monotonic() + 15
    while True:
        answer = rest.get(url, timeout_s=15)
        if answer.status not in (0, 404, 502, 503) or time.monotonic() > deadline:
            return answer
        time.sleep(0.2)


def print_where(instance: Instance, made: Demo | None) -> None:
    """What is where, and each REST call ready to paste."""
    say()
    say(f"  api      {api_url(instance)}    (its description: /openapi.json)")
    say(f"  gateway  http://{instance.address('gateway')}")
    say(f"  kafka    {instance.address('kafka')}    (more: ./dev env, ./dev status)")
    say(f"  logs     {instance.log}    (./dev logs NAME -f)")
    if made is None:
        return
    say()
    say("  Play it (the ticket in it ends soon; the tickets call below makes a new one):")
    say(f"    ffplay '{made.play_url}'")
    say()
    say("  The REST API, ready to paste:")
    for line in examples(instance, made):
        say(f"    {line}")


def grant_examples(api: str, made: Demo, curl: str, send: str) -> list[str]:
    """A guest who may watch the demo camera until Friday."""
    subject = uuid.uuid5(tokens.NAMESPACE, f"user|{TENANT}|guest")
    read_id = "sed 's/^{\"id\":\"\\([^\"]*\\).*/\\1/'"
    ends = "$(date -d 'next friday 18:00' --iso-8601=seconds)"
    grant = f'"{{\\"subject\\":\\"{subject}\\",\\"group_id\\":\\"$GROUP\\",'
    grant += f'\\"ends_at\\":\\"{ends}\\"}}"'
    member = f"{api}/v1/groups/$GROUP/cameras"
    return [
        f"GROUP=$({send} -d '{{\"name\":\"yard\"}}' {api}/v1/groups | {read_id})",
        f"{curl} -X PUT {member}/{made.camera_id}",
        f"{curl} {member}",
        f"GRANT=$({send} -d {grant} {api}/v1/grants | {read_id})",
        f"GUEST=$(./dev token --tenant {TENANT} --role guest | tail -n 1)",
        f'curl -sS -H "Authorization: Bearer $GUEST" {api}/v1/cameras',
        f"{send} -X PATCH -d '{{\"ends_at\":null}}' {api}/v1/grants/$GRANT",
        f"{curl} {api}/v1/grants",
        f"{curl} -X DELETE {api}/v1/grants/$GRANT",
        f"{curl} -X DELETE {api}/v1/groups/$GROUP",
    ]


def examples(instance: Instance, made: Demo) -> list[str]:
    api = api_url(instance)
    curl = 'curl -sS -H "Authorization: Bearer $TOKEN"'
    send = f"{curl} -H 'Content-Type: application/json'"
    other = '{"name":"door","source":{"url":"rtsp://10.0.0.9/live","username":"u","password":"p"}}'
    start = f'{{"camera_id":"{made.camera_id}","quality":"source"}}'
    camera, stream = f"{api}/v1/cameras/{made.camera_id}", f"{api}/v1/streams/{made.stream_id}"
    revoked = f'{{"kind":"camera","object_id":"{made.camera_id}"}}'
    tenant = '{"name":"other"}'
    return [
        f"TOKEN=$(./dev token --tenant {TENANT} | tail -n 1)",
        f"{curl} {api}/v1/cameras",
        f"{send} -d '{other}' {api}/v1/cameras",
        f"{curl} {camera}",
        f"ETAG=$({curl} -o /dev/null -D - {camera} | sed -n 's/^etag: //Ip' | tr -d '\\r')",
        f"{send} -X PATCH -H \"If-Match: $ETAG\" -d '{{\"idle_timeout_s\":60}}' {camera}",
        f"{send} -d '{start}' {api}/v1/streams",
        f"{curl} -o picture.jpg {camera}/snapshot",
        f"{curl} {api}/v1/streams",
        f"{curl} -H 'Prefer: wait=10' {stream}",
        f"{curl} -X POST {stream}/tickets",
        f"{send} -d '{revoked}' {api}/v1/revocations",
        f"{curl} {api}/v1/revocations",
        *grant_examples(api, made, curl, send),
        f"{curl} {api}/v1/workers",
        f"{curl} {api}/v1/audit-events",
        f"{curl} {api}/v1/viewings",
        f"{curl} -X DELETE {stream}",
        f"{curl} -X DELETE -H \"If-Match: $ETAG\" {camera}",
        f"curl -sS {api}/openapi.json",
        "PLATFORM=$(./dev token --tenant platform --role platform | tail -n 1)",
        'curl -sS -H "Authorization: Bearer $PLATFORM" -H \'Content-Type: application/json\' '
        f"-d '{tenant}' {api}/v1/tenants",
    ]
