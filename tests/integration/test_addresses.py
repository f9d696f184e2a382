# SPDX-License-Identifier: Apache-2.0
"""Attacker-chosen addresses, through the real api, worker and tap, as in production: no local
cameras, the internet by default, private networks where the platform gives them to a tenant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from client import Api, fetch, wait_for
from conftest import stack_of
from house import House
from stack import Stack, token_claims
from test_tap_addresses import DENIED, INVALID

SETTINGS = {
    "weir-api": {
        "WEIR_SOURCE_ALLOW_LOCAL": "false",
        "WEIR_TENANT_CAMERA_NETWORKS": "public",
        "WEIR_SERVICE_NETWORKS": "10.66.0.0/16",
    },
    "weir-worker": {
        "WEIR_SOURCE_ALLOW_LOCAL": "false",
        "WEIR_SERVICE_NETWORKS": "10.66.0.0/16",
        "WEIR_CAMERA_TRIALS_MAX": "6",
    },
}


stack = stack_of(SETTINGS)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def hall_url(house: House) -> str:
    return house.camera()


def give(stack: Stack, tenant: str, networks: list[str] | None) -> dict[str, Any]:
    """What the platform lets a tenant reach; the tenant as it is then."""
    tenant_id = token_claims(stack.token(tenant))["app_metadata"]["tenant_id"]
    path = f"/v1/tenants/{tenant_id}"
    changed = stack.platform().call("PATCH", path, {"camera_networks": networks}).expect(200)
    assert changed.json == stack.platform().get(path).expect(200).json
    return dict(changed.json)


def camera_body(url: str) -> dict[str, Any]:
    return {"name": "attacked", "source": {"url": url}}


def failing(user: Api, url: str) -> dict[str, Any]:
    """A stream that was started and could not be."""
    stream = user.start(user.add_camera("failing", url)["id"])
    return user.wait_state(stream["id"], "backoff", "failed")


def test_a_forbidden_address_is_refused_when_it_is_given(stack: Stack) -> None:
    user = stack.user("acme")
    kept = user.add_camera("kept", "rtsp://cam.example.com/live")
    assert len(DENIED) + len(INVALID) >= 80
    for host in [*DENIED, *INVALID, "localhost", "LocalHost.", "a.localhost", "10.66.1.1"]:
        for method, path in (("POST", "/v1/cameras"), ("PATCH", f"/v1/cameras/{kept['id']}")):
            url = f"rtsp://{host}:8554/x"
            answer = user.call(method, path, camera_body(url))
            assert answer.status == 422, f"{method} {url}: {answer.status} {answer.body!r}"
            problem = answer.json
            assert problem["code"] in ("address_denied", "bad_url"), url
            assert (problem["code"] == "bad_url") == (host in INVALID), url
            assert problem["errors"][0]["pointer"] == "/source/url"
            assert "give" in problem["detail"] or "must" in problem["detail"], problem
    found = user.get(f"/v1/cameras/{kept['id']}").json
    assert {name: found[name] for name in kept} == kept
    refused = user.call("POST", "/v1/cameras", camera_body("rtsp://192.168.1.20/x"))
    assert "192.168.1.20" in refused.json["detail"] and "(public)" in refused.json["detail"]
    assert "camera_networks" in refused.json["detail"]


@pytest.mark.parametrize(
    ("networks", "pointer"),
    [
        ("10.0.0.0/8", "/camera_networks"),
        ([5], "/camera_networks/0"),
        (["public", "10.0.0.1/8"], "/camera_networks/1"),
        (["127.0.0.0/8"], "/camera_networks/0"),
        (["169.254.169.254/32"], "/camera_networks/0"),
        (["anything"], "/camera_networks/0"),
        (["10.0.0.0/8"] * 33, "/camera_networks"),
    ],
)
def test_networks_that_are_none_are_refused(stack: Stack, networks: object, pointer: str) -> None:
    body = {"name": "odd", "camera_networks": networks}
    answer = stack.platform().call("POST", "/v1/tenants", body).expect(422)
    assert answer.json["errors"][0]["pointer"] == pointer


def test_only_the_platform_gives_networks(stack: Stack) -> None:
    user = stack.user("acme")
    tenant_id = token_claims(stack.token("acme"))["app_metadata"]["tenant_id"]
    body = {"camera_networks": ["0.0.0.0/0"]}
    assert user.call("PATCH", f"/v1/tenants/{tenant_id}", body).status in (403, 404)


def test_a_private_network_is_reached_while_a_tenant_has_it(
    stack: Stack, house: House, hall_url: str
) -> None:
    user, url = stack.user("house"), hall_url
    assert give(stack, "house", None)["camera_networks"] is None
    user.call("POST", "/v1/cameras", camera_body(url)).expect(422)
    given = give(stack, "house", ["10.66.0.0/16", house.network, "public"])
    assert given["camera_networks"] == ["public", "10.66.0.0/16", house.network]
    denied = user.call("POST", "/v1/cameras", camera_body("rtsp://10.66.0.1/x")).expect(422)
    assert denied.json["code"] == "address_denied", "the deployment's own, whatever was given"
    camera = user.add_camera("hall", url)
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    assert fetch(user.ticket(stream["id"])).status in (200, 302)
    # Taken away, it ends; nobody has to stop it.
    give(stack, "house", ["public"])
    ended = user.wait_state(stream["id"], "failed", "backoff")
    assert ended["reason"] == "source_denied"
    give(stack, "house", [house.network])
    again = user.start(camera["id"])
    user.wait_state(again["id"], "running")
    user.call("DELETE", f"/v1/streams/{again['id']}").expect(202)


def test_what_a_name_resolves_to_is_not_told(stack: Stack) -> None:
    user = stack.user("names")
    told = {
        (stream["reason"], stream["detail"])
        for stream in (
            failing(user, "rtsp://ip6-localhost/x"),  # ::1 in /etc/hosts
            failing(user, "rtsp://no-such-name.invalid/x"),
        )
    }
    assert told == {
        ("source_name_unknown", "the name has no address where this tenant's cameras may be")
    }


def test_a_tenant_sees_neither_open_ports_nor_many_of_them(
    stack: Stack, house: House, hall_url: str
) -> None:
    user, ports = stack.user("scanner"), range(9001, 9010)
    give(stack, "scanner", [house.network])
    own = user.start(user.add_camera("own", hall_url)["id"])
    user.wait_state(own["id"], "running")
    came = house.listener(*list(ports)[::2])  # every other one is closed
    streams = [failing(user, f"rtsp://{house.address}:{port}/x") for port in list(ports)[:6]]
    assert {(s["state"], s["reason"], s["detail"]) for s in streams} == {
        ("backoff", "source_unreachable", "no camera answers there by RTSP")
    }
    before = came.read_text()
    assert {"9001", "9003", "9005"} <= set(before.split()), "they were tried"
    for port in list(ports)[6:]:
        stream = failing(user, f"rtsp://{house.address}:{port}/x")
        assert stream["reason"] == "source_rate_limited"
    assert not {"9007", "9009"} & set(came.read_text().split())
    # The tenant's own camera plays all the same, and one that plays costs nothing.
    user.start(own["camera_id"])
    user.wait_state(own["id"], "running")
    # What a stream is told is all there is: neither the audit nor the log say more to a tenant.
    events = wait_for(
        "the audit has them",
        lambda: (found := user.get("/v1/audit-events?limit=100").expect(200).body.decode())
        and "source_rate_limited" in found
        and found,
    )
    for word in ("source_refused", "source_timeout", "listens", "connected"):
        assert word not in events
