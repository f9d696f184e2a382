# SPDX-License-Identifier: Apache-2.0
"""Tokens of Supabase's shape by two independent libraries against the real api; keys that rotate
under load; a flood of keys that nobody has.

The first api fetches the key set each second, so that a rotation takes seconds here. The second one
keeps the usual ten minutes, and has every switch on that is off by default."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from client import Answer, Api, wait_for
from conftest import free_port_base
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from key_server import KeyServer
from minting import Jose, PyJwt, Signer, b64, supabase_claims
from stack import Stack, token_claims

SECRET = "an-hs256-secret-of-the-tests-that-is-long-enough"
NOBODY = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyServer]:
    server = KeyServer(tmp_path_factory.mktemp("keys"))
    server.has_etag = True
    yield server
    server.close()


@pytest.fixture(scope="module")
def jose() -> Iterator[Jose]:
    made = Jose()
    yield made
    made.close()


@pytest.fixture(scope="module")
def signers(jose: Jose) -> list[Signer]:
    """A key of each library and algorithm, all in the set from the start."""
    return [
        PyJwt("py-es", "ES256"),
        PyJwt("py-rs", "RS256"),
        jose.key("jose-es", "ES256"),
        jose.key("jose-rs", "RS256"),
    ]


@pytest.fixture(scope="module")
def stack(
    keys: KeyServer, signers: list[Signer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("weir") / "home", free_port_base())
    made.dev("infra", "up")  # makes the keys of this instance
    own = json.loads((made.home / "secrets" / "jwks.json").read_text())["keys"]
    symmetric = {"kty": "oct", "kid": "oct", "alg": "HS256", "k": b64(SECRET.encode())}
    keys.keys = {"keys": [*own, symmetric, *(signer.jwk for signer in signers)]}
    local = made.home / "local"
    local.mkdir()
    secret = local / "hs256"
    secret.touch(0o600)
    secret.write_text(SECRET + "\n")
    first = {"WEIR_JWKS": f"{keys.url}?first", "WEIR_JWKS_REFRESH_S": "1"}
    second = {
        "WEIR_JWKS": f"{keys.url}?second",
        "WEIR_ADMIN_AAL2": "true",
        "WEIR_JWT_ANONYMOUS": "true",
        "WEIR_JWT_HS256_SECRET_FILE": str(secret),
    }
    for name, values in (("api", first), ("api-2", second)):
        values = {**values, "WEIR_JWKS_CA_FILE": str(keys.ca)}
        (local / f"{name}.env").write_text("".join(f"{k}={v}\n" for k, v in values.items()))
    with made.running(workers=0, apis=2):
        yield made


@pytest.fixture(scope="module")
def second(stack: Stack) -> str:
    return stack.second_api_url


@pytest.fixture(scope="module")
def claims_of(stack: Stack) -> Callable[..., dict[str, Any]]:
    """The claims of a new user of a tenant that is there, with changes."""
    told = token_claims(stack.user("acme").token)

    def make(**changes: Any) -> dict[str, Any]:
        return supabase_claims(told["iss"], told["app_metadata"]["tenant_id"], **changes)

    return make


def ask(base: str, token: str, path: str = "/v1/cameras?limit=1") -> Answer:
    return Api(base, token).get(path)


def without_tenant(**more: Any) -> dict[str, Any]:
    return {"app_metadata": {"provider": "email", "providers": ["email"]}, **more}


# ---- who is let in ----


def test_tokens_of_two_libraries_are_judged_alike(
    stack: Stack, signers: list[Signer], claims_of: Callable[..., dict[str, Any]]
) -> None:
    now = int(time.time())
    totp = [{"method": "totp", "timestamp": now}, {"method": "password", "timestamp": now - 5}]
    hook = {
        "user_role": "admin",
        "plan": {"name": "pro", "limits": {"seats": 5, "regions": ["eu"]}},
        "tenant_ids": [str(uuid.uuid4())],
    }
    own_tenant = {"tenant_id": NOBODY, "tenant_role": "admin"}
    ten_years = 10 * 365 * 86400
    cases: list[tuple[str, int, dict[str, Any]]] = [
        ("as it comes", 200, {}),
        ("aud is a list", 200, {"aud": ["authenticated"]}),
        ("aud is a longer list", 200, {"aud": ["https://api.example", "authenticated"]}),
        ("signed in with a second factor", 200, {"aal": "aal2", "amr": totp}),
        ("claims of a custom access token hook", 200, hook),
        ("of another provider", 200, {"amr": [{"method": "oauth", "timestamp": now}], "jti": NOBODY}),
        ("nbf is given", 200, {"nbf": now}),
        ("a tenant the user gave himself counts for nothing", 200, {"user_metadata": own_tenant}),
        ("no tenant", 403, without_tenant()),
        ("a tenant of the user's own only", 403, without_tenant(user_metadata=own_tenant)),
        ("an anonymous user", 403, {"is_anonymous": True, "email": "", "amr": [{"method": "anonymous", "timestamp": now}]}),
        ("over", 401, {"iat": now - 7200, "exp": now - 60}),
        ("not valid yet", 401, {"iat": now + 120, "exp": now + 3600}),
        ("another project's", 401, {"iss": "https://other.supabase.co/auth/v1"}),
        ("for somebody else", 401, {"aud": ["anon", "authenticated2"]}),
        ("the anon key's role", 401, {"role": "anon"}),
        ("the service key's role", 401, {"role": "service_role"}),
        ("ten years long", 401, {"exp": now + ten_years}),
        ("no session", 401, {"session_id": None}),
        ("no user", 401, {"sub": None}),
        ("no end", 401, {"exp": None}),
    ]  # fmt: skip
    for signer in signers:
        for what, status, changes in cases:
            answer = ask(stack.api_url, signer.sign(claims_of(**changes)))
            assert answer.status == status, f"{signer.kid}, {what}: {answer.status} {answer.body!r}"
            if status == 401:
                assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
                assert answer.json["detail"] == "a valid bearer token is needed"


def test_what_the_header_says_of_keys_is_not_believed(
    stack: Stack, signers: list[Signer], claims_of: Callable[..., dict[str, Any]]
) -> None:
    good = signers[0]
    assert isinstance(good, PyJwt)
    stranger = PyJwt("py-es", "ES256")
    claims = claims_of()
    ask(stack.api_url, good.sign(claims, jku="https://evil.example/jwks")).expect(200)
    for header in ({}, {"jwk": stranger.jwk}, {"jku": "https://evil.example/jwks"}):
        ask(stack.api_url, stranger.sign(claims, **header)).expect(401)
    for header in ({"crit": ["exp"]}, {"b64": False}, {"typ": "at+jwt"}, {"kid": "py-rs"}):
        ask(stack.api_url, good.sign(claims, **header)).expect(401)
    unsigned = jwt.encode(claims, None, "none", {"kid": "py-es"})
    for token in (unsigned, unsigned + b64(b"\0" * 64), unsigned.rstrip(".")):
        ask(stack.api_url, token).expect(401)


def hs256(claims: dict[str, Any], key: bytes, kid: str | None = None) -> str:
    """PyJWT refuses to do this with a public key, which an attacker would not."""
    header = {"alg": "HS256", "typ": "JWT", **({"kid": kid} if kid else {})}
    text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{b64(hmac.digest(key, text.encode(), hashlib.sha256))}"


def test_hs256_passes_where_it_was_switched_on_by_that_secret_alone(
    stack: Stack, second: str, signers: list[Signer], claims_of: Callable[..., dict[str, Any]]
) -> None:
    secret = SECRET.encode()
    by_library = jwt.encode(claims_of(), SECRET, "HS256")
    ask(stack.api_url, by_library).expect(401)
    ask(stack.api_url, hs256(claims_of(), secret, "oct")).expect(401)
    ask(second, by_library).expect(200)
    ask(second, hs256(claims_of(), secret, "oct")).expect(200)
    service = {"iss": "supabase", "role": "service_role", "iat": 1700000000, "exp": 2015360000}
    ask(second, hs256(service, secret)).expect(401)
    ask(second, hs256(claims_of(exp=2015360000), secret)).expect(401)
    ask(second, hs256(claims_of(), b"another secret")).expect(401)
    ask(second, hs256(claims_of(), b"")).expect(401)
    for signer in signers[:2]:
        assert isinstance(signer, PyJwt)
        public = signer.key.public_key()
        for encoding in (Encoding.PEM, Encoding.DER):
            text = public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
            for kid in (None, signer.kid):
                for base in (stack.api_url, second):
                    ask(base, hs256(claims_of(), text, kid)).expect(401)


def test_switches_let_in_anonymous_users_and_ask_admins_for_a_second_factor(
    second: str, signers: list[Signer], claims_of: Callable[..., dict[str, Any]]
) -> None:
    for signer in signers:
        ask(second, signer.sign(claims_of(is_anonymous=True))).expect(200)
        weak, strong = (Api(second, signer.sign(claims_of(aal=aal))) for aal in ("aal1", "aal2"))
        weak.get("/v1/cameras").expect(200)
        body = {"name": "mfa", "source": {"url": "rtsp://127.0.0.1:1/none", "transport": "tcp"}}
        refused = weak.call("POST", "/v1/cameras", body).expect(403)
        assert refused.json["code"] == "second_factor_needed"
        strong.call("POST", "/v1/cameras", body).expect(201)


# ---- keys that come and go ----


class Load:
    """Requests over kept connections without a pause; each tenth has a new token of the key that
    signs at that time. Every answer is counted."""

    THREADS = 3

    def __init__(self, base: str, sign: Callable[[], tuple[str, str]]) -> None:
        self.at = urlsplit(base).netloc
        self.sign = sign
        self.answers: Counter[int] = Counter()
        self.using = [""] * self.THREADS
        self.is_ending = False
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(self.THREADS)]
        for thread in self.threads:
            thread.start()

    def run(self, index: int) -> None:
        connection = http.client.HTTPConnection(self.at, timeout=30)
        while not self.is_ending:
            self.using[index], token = self.sign()
            for _ in range(10):
                headers = {"Authorization": f"Bearer {token}"}
                connection.request("GET", "/v1/streams?limit=1", headers=headers)
                reply = connection.getresponse()
                reply.read()
                self.answers[reply.status] += 1
        connection.close()

    def end(self) -> None:
        self.is_ending = True
        for thread in self.threads:
            thread.join(60)


def served(keys: KeyServer, *kids: str) -> None:
    """Waits until the first api has fetched a set with these, and has had the time to take it: it
    asks again only after that."""

    def seen() -> bool:
        found = [i for i, fetch in enumerate(keys.of("first")) if set(kids) <= set(fetch.kids)]
        return len(found) >= 2

    wait_for(f"{kids} are fetched", seen, 30)


def test_keys_are_rotated_under_load_and_nobody_is_refused(
    stack: Stack, keys: KeyServer, jose: Jose, claims_of: Callable[..., dict[str, Any]], flood: "Flood"
) -> None:
    """Standby, in use, previously used, revoked: what Supabase does with a key."""
    base = keys.keys["keys"]
    chain: list[Signer] = [
        PyJwt("in-use", "ES256"),
        PyJwt("standby-1", "ES256"),
        PyJwt("standby-2", "RS256"),
    ]
    signing = chain[0]
    keys.keys = {"keys": [*base, chain[0].jwk]}
    served(keys, chain[0].kid)
    load = Load(stack.api_url, lambda: ((one := signing).kid, one.sign(claims_of())))
    before = len(keys.of("first"))
    revoked = []
    try:
        for old, new in zip(chain, chain[1:]):
            keys.keys = {"keys": [*base, old.jwk, new.jwk]}  # the new one stands by
            served(keys, old.kid, new.kid)
            kept = old.sign(claims_of())
            signing = new  # ... and signs
            wait_for("the new key signs", lambda: set(load.using) == {new.kid}, 30)
            ask(stack.api_url, kept).expect(200)  # the old one still counts
            keys.keys = {"keys": [*base, new.jwk]}  # until it is taken away
            wait_for("the old key is gone", lambda: ask(stack.api_url, kept).status == 401, 30)
            revoked.append(kept)
        wait_for("requests by the last key", lambda: load.answers[200] > 200, 30)
    finally:
        load.end()
    n = sum(load.answers.values())
    refused = n - load.answers[200]
    print(f"two rotations under load: {n} requests, {refused} refused")
    assert refused == 0, load.answers
    for token in revoked:
        ask(stack.api_url, token).expect(401)
    fetches = keys.of("first")[before:]
    confirmed = [fetch for fetch in fetches if fetch.status == 304]
    print(f"{len(fetches)} fetches of the key set, {len(confirmed)} of them answered 304")
    assert confirmed, "the api never asked with If-None-Match"


class Flood:
    """Tokens by keys that nobody has, each with a new kid, at the second api from the first test that
    wants one on."""

    def __init__(self, base: str, claims: dict[str, Any]) -> None:
        self.at = urlsplit(base).netloc
        self.claims = claims
        self.begun = time.monotonic()
        self.answers: Counter[int] = Counter()
        self.is_ending = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        stranger = PyJwt("stranger", "ES256")
        connection = http.client.HTTPConnection(self.at, timeout=30)
        while not self.is_ending:
            token = stranger.sign(self.claims, kid=str(uuid.uuid4()))
            connection.request("GET", "/v1/cameras", headers={"Authorization": f"Bearer {token}"})
            reply = connection.getresponse()
            reply.read()
            self.answers[reply.status] += 1
            time.sleep(0.005)
        connection.close()

    def end(self) -> float:
        """How long it went on."""
        self.is_ending = True
        self.thread.join(60)
        return time.monotonic() - self.begun


@pytest.fixture(scope="module")
def flood(second: str, claims_of: Callable[..., dict[str, Any]]) -> Iterator[Flood]:
    made = Flood(second, claims_of())
    yield made
    made.end()


def test_a_flood_of_random_keys_causes_one_fetch_in_half_a_minute(
    keys: KeyServer, second: str, signers: list[Signer], claims_of: Callable[..., dict[str, Any]], flood: Flood
) -> None:  # fmt: skip
    wait_for("a fetch for a key that nobody has", lambda: fetched_since(keys, flood), 60)
    wait_for("some more of the flood", lambda: flood.answers[401] > 400, 60)
    ask(second, signers[0].sign(claims_of())).expect(200)
    took = flood.end()
    asked_at = [fetch.at for fetch in keys.of("second")]
    gaps = [round(b - a, 1) for a, b in zip(asked_at, asked_at[1:])]
    n = sum(flood.answers.values())
    print(f"{n} random kids in {took:.0f} s: {len(fetched_since(keys, flood))} fetches; "
          f"seconds between all fetches: {gaps}")  # fmt: skip
    assert set(flood.answers) <= {401, 503}
    assert all(gap >= 29.9 for gap in gaps), gaps


def fetched_since(keys: KeyServer, flood: Flood) -> list[float]:
    return [fetch.at for fetch in keys.of("second") if fetch.at >= flood.begun]
