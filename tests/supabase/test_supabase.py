# SPDX-License-Identifier: Apache-2.0
"""The api with the tokens and keys of a running Supabase Auth server: `./dev test supabase`.

WEIR_SUPABASE_URL          the project, such as https://<ref>.supabase.co or http://127.0.0.1:54321
WEIR_SUPABASE_SERVICE_KEY  a key that may make users
WEIR_SUPABASE_JWT_SECRET   where the project still signs by HS256: its secret
WEIR_SUPABASE_ROTATE       a command that makes the project sign by its standby key; there is no
                           call of the Auth server for it. Without it that test is skipped.

What is made at the server is users named weir-<uuid>@example.com; they are removed at the end. A
server without TLS is one on this machine: the api takes keys by https or from a file only, so then
the key set is copied into a file here."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client import Api, fetch, wait_for
from conftest import free_port_base
from stack import Stack, token_claims

URL = os.environ.get("WEIR_SUPABASE_URL", "").rstrip("/")
KEY = os.environ.get("WEIR_SUPABASE_SERVICE_KEY", "")
SECRET = os.environ.get("WEIR_SUPABASE_JWT_SECRET", "")
ROTATE = os.environ.get("WEIR_SUPABASE_ROTATE", "")
JWKS = f"{URL}/auth/v1/.well-known/jwks.json"

pytestmark = pytest.mark.skipif(
    not (URL and KEY), reason="needs WEIR_SUPABASE_URL and WEIR_SUPABASE_SERVICE_KEY"
)


class Users:
    """users.mjs, which holds the sessions."""

    def __init__(self) -> None:
        script = Path(__file__).resolve().parent / "users.mjs"
        self.process = subprocess.Popen(
            ["node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.made: list[str] = []

    def ask(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        told = dict(json.loads(self.process.stdout.readline()))
        if "id" in told:
            self.made.append(told["id"])
        return told

    def make(self, **app_metadata: Any) -> dict[str, Any]:
        told = self.ask(make={"app_metadata": app_metadata})
        assert "token" in told, told
        return told

    def close(self) -> None:
        for user in self.made:
            self.ask(remove=user)
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture(scope="module")
def users() -> Iterator[Users]:
    made = Users()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def platform(users: Users) -> str:
    return str(users.make(platform=True, tenant_id=str(uuid.uuid4()), tenant_role="admin")["token"])


def header_of(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def copy_keys(place: Path) -> None:
    place.write_bytes(fetch(JWKS, headers={"apikey": KEY}).expect(200).body)


@pytest.fixture(scope="module")
def stack(platform: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    header, claims = header_of(platform), token_claims(platform)
    print(f"the server signs {header}, iss {claims['iss']}, aud {claims['aud']!r}")
    if header["alg"] == "HS256" and not SECRET:
        pytest.skip("this project signs by HS256: give WEIR_SUPABASE_JWT_SECRET")
    made = Stack(tmp_path_factory.mktemp("weir") / "home", free_port_base())
    made.dev("infra", "up")
    local = made.home / "local"
    local.mkdir()
    settings = {"WEIR_JWKS": JWKS, "WEIR_JWT_ISSUER": claims["iss"], "WEIR_JWKS_REFRESH_S": "5"}
    if not URL.startswith("https://"):
        copy_keys(local / "jwks.json")
        settings["WEIR_JWKS"] = str(local / "jwks.json")
    if header["alg"] == "HS256":
        secret = local / "hs256"
        secret.touch(0o600)
        secret.write_text(SECRET + "\n")
        settings["WEIR_JWT_HS256_SECRET_FILE"] = str(secret)
    (local / "weir-api.env").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    try:
        made.up(workers=0)
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def tenants(stack: Stack, users: Users, platform: str) -> list[tuple[Api, dict[str, Any]]]:
    """Two tenants with a user each: his view of the api, and what Supabase told of him."""
    made = []
    for name in ("acme", "globex"):
        tenant = str(uuid.uuid4())
        body = {"id": tenant, "name": name}
        Api(stack.api_url, platform).call("POST", "/v1/tenants", body).expect(201)
        user = users.make(tenant_id=tenant, tenant_role="admin")
        made.append((Api(stack.api_url, user["token"]), {**user, "tenant_id": tenant}))
    return made


def test_users_reach_what_their_tenant_has_and_nothing_else(
    tenants: list[tuple[Api, dict[str, Any]]],
) -> None:
    (first, _), (other, _) = tenants
    camera = first.add_camera("mine", "rtsp://127.0.0.1:1/none")["id"]
    first.get(f"/v1/cameras/{camera}").expect(200)
    other.get(f"/v1/cameras/{camera}").expect(404)
    assert other.get("/v1/cameras").expect(200).json["items"] == []


def test_a_tenant_that_a_user_gives_himself_counts_for_nothing(
    stack: Stack, users: Users, tenants: list[tuple[Api, dict[str, Any]]]
) -> None:
    (first, mine), (_, other) = tenants
    wished = {"tenant_id": mine["tenant_id"], "tenant_role": "admin", "platform": True}
    token = users.ask(write={"id": other["id"], "data": wished})["token"]
    assert token_claims(token)["user_metadata"]["tenant_id"] == mine["tenant_id"]
    seen = {camera["id"] for camera in first.get("/v1/cameras").expect(200).json["items"]}
    told = Api(stack.api_url, token).get("/v1/cameras").expect(200).json["items"]
    assert not seen & {camera["id"] for camera in told}
    Api(stack.api_url, token).get("/v1/tenants").expect(403)


def test_users_without_a_tenant_and_keys_of_the_project_are_refused(
    stack: Stack, users: Users
) -> None:
    Api(stack.api_url, users.make()["token"]).get("/v1/cameras").expect(403)
    Api(stack.api_url, KEY).get("/v1/cameras").expect(401)
    anonymous = users.ask(anonymous=True)
    if "token" in anonymous:
        Api(stack.api_url, anonymous["token"]).get("/v1/cameras").expect(403)
    else:
        print(f"anonymous users: {anonymous['error']}")


@pytest.mark.skipif(not ROTATE, reason="needs WEIR_SUPABASE_ROTATE")
def test_a_rotation_refuses_nobody(
    stack: Stack, users: Users, tenants: list[tuple[Api, dict[str, Any]]]
) -> None:
    user, told = tenants[0]
    before = header_of(user.token or "")["kid"]
    subprocess.run(ROTATE, shell=True, check=True, timeout=600)

    def rotated() -> str | None:
        token = str(users.ask(refresh=told["id"])["token"])
        return token if header_of(token)["kid"] != before else None

    token = wait_for("the server signs by another key", rotated, 1800, 5)
    if not URL.startswith("https://"):
        copy_keys(stack.home / "local" / "jwks.json")
        wait_for("the file is read", lambda: Api(stack.api_url, token).get("/v1/cameras").status == 200, 30)
    Api(stack.api_url, token).get("/v1/cameras").expect(200)
    user.get("/v1/cameras").expect(200)  # the old one is not revoked yet
