# SPDX-License-Identifier: Apache-2.0
"""Two tenants, each watching its own camera in Chromium through both front doors; one of the people is
logged out by force while he watches. His pictures stop, the others never notice, and the audit says who
watched from when to when.

Tokens are of Supabase's shape, signed by PyJWT with the key whose public half the api was given."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
import pytest
from browser import Browser, Player
from client import Api
from minting import supabase_claims
from rig import Rig, Watched, wait_for
from stack import token_claims

pytestmark = pytest.mark.xdist_group("rig")

TOLD_AS = {"gateway": "gateway", "worker": "cdn"}  # the doors, as a viewing names them
LIMIT_S = 60
NEAR_S = 10  # the truth and what is told of it, on a machine that has other things to do
STILL_S = 4  # of no new picture, at whose end it is a stopped one


@dataclass
class Person:
    api: Api
    subject: str
    session: str
    watched: Watched
    url: str  # of his ticket, without the door
    began: float = 0.0


def log_in(rig: Rig, watched: Watched) -> Person:
    """A viewer of that tenant, with a token that no code of Weir made."""
    secrets = rig.stack.home / "secrets"
    kid = jwt.PyJWKSet.from_json((secrets / "jwks.json").read_text()).keys[0].key_id
    ours = token_claims(watched.user.token or "")
    claims = supabase_claims(ours["iss"], watched.tenant)
    claims["app_metadata"]["tenant_role"] = "viewer"
    token = jwt.encode(claims, (secrets / "jwt-key.pem").read_bytes(), "ES256", {"kid": kid})
    api = Api(rig.stack.api_url, token)
    path = "/live/" + api.ticket(watched.id).split("/live/")[1]
    return Person(api, claims["sub"], claims["session_id"], watched, path)


def expect_walled_off(rig: Rig, person: Person, foreign: Watched) -> None:
    """Neither by the api nor, with his ticket, at a door."""
    camera = foreign.mint.claims["c"]
    person.api.get(f"/v1/streams/{foreign.id}").expect(404)
    person.api.get(f"/v1/cameras/{camera}").expect(404)
    person.api.call("POST", f"/v1/streams/{foreign.id}/tickets").expect(404)
    ticket = person.url.split("/live/")[1].split("/")[0]
    for door in rig.doors.values():
        for kind in foreign.files:
            answer = door.ask(foreign.of(kind, ticket))
            assert answer.status in (401, 403, 404), (door.name, kind, answer.status)


def stopped_at(player: Player) -> float:
    """When the last new picture was seen, once there was none for a while."""
    last = player.moves()[-1]
    assert player.looks[-1].at - last >= STILL_S
    return last


def viewings(person: Person, **filters: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return list(person.watched.user.get(f"/v1/viewings?{query}").expect(200).json["items"])


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_each_sees_its_own_and_who_is_logged_out_sees_no_more(rig: Rig) -> None:
    for watched in rig.streams.values():
        rig.refresh(watched)
    ann, ben = (log_in(rig, rig.streams[tenant]) for tenant in ("acme", "other"))
    expect_walled_off(rig, ann, ben.watched)
    expect_walled_off(rig, ben, ann.watched)

    with Browser() as browser:

        def open_at_both_doors(name: str, person: Person) -> list[Player]:
            person.began = time.time()
            return [browser.add(f"{name} {door}", rig.doors[door].url + person.url) for door in TOLD_AS]

        anns, bens = open_at_both_doors("ann", ann), open_at_both_doors("ben", ben)
        everyone = [*anns, *bens]
        wait_for("pictures", lambda: all(player.frames > 60 for player in everyone), LIMIT_S)

        revoked = time.time()
        rig.revoke(ann.watched, "session", ann.session)
        ends = wait_for("the pictures stop", lambda: [stopped_at(player) for player in anns], LIMIT_S)
        seen = max(player.frames for player in bens)
        wait_for("the others play on", lambda: all(one.frames > seen + 60 for one in bens), LIMIT_S)
        for door, end, player in zip(TOLD_AS, ends, bens, strict=True):
            print(
                f"{door}: the picture stopped {end - revoked:.1f} s after the logout was asked for; "
                f"the other's longest freeze {player.freeze(revoked):.2f} s"
            )
            assert not player.fatal and not player.went_back()
            assert not [error for error in player.errors if error.get("status") in (401, 403)]
        wait_for("the players give up", lambda: all(player.fatal for player in anns), LIMIT_S)
        watched_until = time.time()

    def told(person: Person) -> dict[str, dict[str, Any]]:
        found = {one["door"]: one for one in viewings(person, subject=person.subject)}
        assert set(found) == set(TOLD_AS.values()), found
        assert all(one["ended_at"] for one in found.values())
        return found

    for person, lasts in ((ann, ends), (ben, [watched_until] * 2)):
        found = wait_for("the audit has both viewings", lambda who=person: told(who), 120)
        for name, last in zip(TOLD_AS.values(), lasts, strict=True):
            one = found[name]
            assert one["stream_id"] == person.watched.id and one["segments"] >= 2
            assert abs(seconds(one["started_at"]) - person.began) < NEAR_S
            assert abs(seconds(one["last_seen_at"]) - last) < NEAR_S
    assert not viewings(ann, subject=ben.subject) and not viewings(ben, subject=ann.subject)
