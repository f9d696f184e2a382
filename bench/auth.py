# SPDX-License-Identifier: Apache-2.0
"""What judging a token costs: one that is known, and one that was never seen.

`GET /v1/streams/{id}` by FastAPI with PyJWT makes the same checks (signature by the key that the
header names, iss, aud, exp, nbf, iat, life, role, sub, session_id, tenant) and gives the same answer from a
dictionary; it remembers verified tokens by their SHA-256 as ours does. Both get the same requests over
kept connections, in turn; what counts is the CPU time of the server a request, as the kernel measured
it. New tokens are ES256, each sent once to each server.

Checked: both give the same JSON, both refuse the same bad tokens, and every answer under load was a
200.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from common.fastapi import FastApi
from common.keepalive import Connection
from common.report import ROOT, Report
from common.rig import rig
from common.samples import median
from common.wrk import with_new_tokens, with_token
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from dev import packages
from get_stream import make_stream
from stack import token_claims

PYJWT = "PyJWT[crypto]==2.10.1"
REPEATS = 5
SECONDS = 3
TOKENS = 4000  # new ones, each time

SERVER = '''
import hashlib, json, time, uuid
import jwt
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

told = json.load(open("told.json"))
keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(told["jwks"]).keys}
issuer, stream = told["issuer"], told["stream"]
streams = {(told["tenant_id"], stream["id"]): stream}
known = {}
app = FastAPI()
options = {"require": ["exp", "iat", "iss", "aud", "sub"]}

def judge(token):
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key.key, [key.algorithm_name], options, audience="authenticated",
                        issuer=issuer, leeway=30)
    if claims["exp"] - claims["iat"] > 86400 or claims["role"] != "authenticated":
        raise ValueError
    if claims.get("is_anonymous"):
        raise ValueError
    uuid.UUID(claims["sub"]), uuid.UUID(claims["session_id"])
    tenant = str(uuid.UUID(claims["app_metadata"]["tenant_id"]))
    return tenant, min(claims["exp"], time.time() + 300)

async def user(given: HTTPAuthorizationCredentials = Depends(HTTPBearer())):
    digest = hashlib.sha256(given.credentials.encode()).digest()
    found = known.get(digest)
    if found is None or found[1] <= time.time():
        try:
            found = judge(given.credentials)
        except (jwt.PyJWTError, KeyError, ValueError):
            raise HTTPException(401)
        if len(known) >= 65536:
            known.pop(next(iter(known)))
        known[digest] = found
    return found[0]

@app.get("/v1/streams/{stream_id}")
async def get(stream_id: str, response: Response, tenant: str = Depends(user)):
    stream = streams.get((tenant, stream_id))
    if stream is None:
        raise HTTPException(404)
    response.headers["ETag"] = '"%d"' % stream["version"]
    return stream
'''


class Minter:
    """Tokens of the benchmark's user, by the instance's own key."""

    def __init__(self, secrets: Path, token: str) -> None:
        self.key = load_pem_private_key((secrets / "jwt-key.pem").read_bytes(), None)
        self.jwks = json.loads((secrets / "jwks.json").read_text())
        self.header = {"kid": self.jwks["keys"][0]["kid"]}
        self.claims = token_claims(token)

    def mint(self, **changes: Any) -> str:
        """One that differs from all others."""
        now = int(time.time())
        claims = {**self.claims, "iat": now, "exp": now + 3600, "session_id": str(uuid.uuid4())}
        return jwt.encode({**claims, **changes}, self.key, "ES256", self.header)

    def bad(self) -> list[str]:
        now = int(time.time())
        good, other = self.mint(), self.mint()
        return [
            good.rsplit(".", 1)[0] + "." + other.rsplit(".", 1)[1],
            self.mint(iat=now - 7200, exp=now - 3600),
            self.mint(aud="anon"),
            self.mint(iss="https://example.com"),
            self.mint(role="service_role"),
            self.mint(exp=now + 10 * 365 * 86400),
            self.mint(session_id="mine"),
        ]


def check(bases: tuple[str, str], path: str, minter: Minter, told: object) -> None:
    for base in bases:
        answer = Connection(base, minter.mint()).call("GET", path).expect(200)
        assert answer.json == told, f"{base} answers {answer.body!r}"
        for token in minter.bad():
            Connection(base, token).call("GET", path).expect(401)


def main() -> int:
    report = Report("auth")
    packages.ensure(["bench"], ROOT / "build" / "results" / "setup.log")
    samples: dict[str, list[float]] = {}

    def keep(name: str, measured: tuple[float, float]) -> float:
        samples.setdefault(f"{name}_cpu_us", []).append(measured[0])
        samples.setdefault(f"{name}_per_second", []).append(measured[1])
        return measured[0]

    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch, rig(0) as made:
        path, token, told = make_stream(made)
        minter = Minter(made.instance.secrets, token)
        settings = {
            "jwks": minter.jwks,
            "issuer": minter.claims["iss"],
            "tenant_id": minter.claims["app_metadata"]["tenant_id"],
            "stream": told,
        }
        (Path(scratch) / "told.json").write_text(json.dumps(settings))
        other = FastApi(Path(scratch), SERVER, PYJWT)
        ours, theirs = (made.api_url, [made.pid("api")]), (other.url, other.pids)
        try:
            check((made.api_url, other.url), path, minter, told)
            for _ in range(REPEATS):
                new = [minter.mint() for _ in range(TOKENS)]
                line = []
                for name, (base, pids) in (("weir", ours), ("fastapi", theirs)):
                    known = keep(f"{name}_known", with_token(base + path, token, pids, SECONDS))
                    fresh = keep(f"{name}_new", with_new_tokens(base + path, new, pids))
                    line.append(f"{name} {known:.1f} us known, {fresh:.1f} us new")
                print(f"  CPU a request: {'; '.join(line)}", flush=True)
            check((made.api_url, other.url), path, minter, told)
        finally:
            other.close()
    for name, values in samples.items():
        report.keep(name, values)
    for kind, what, limit, times in (
        ("known", "a known token", 30_000, 15),
        ("new", "a new ES256 token", 4_000, 2),
    ):
        mine, alternative = median(samples[f"weir_{kind}_cpu_us"]), median(samples[f"fastapi_{kind}_cpu_us"])
        seen = [median(samples[f"{name}_{kind}_per_second"]) for name in ("weir", "fastapi")]
        report.at_least(
            f"requests with {what}, per core of the api's own CPU", limit, 1e6 / mine, "/s",
            f"CPU a request: Weir {mine:.1f} us, FastAPI with PyJWT {alternative:.1f} us "
            f"({1e6 / alternative:,.0f}/s a core); seen {seen[0]:,.0f} and {seen[1]:,.0f} requests/s",
        )  # fmt: skip
        report.at_least(f"requests with {what}, per core", times, alternative / mine, "x FastAPI with PyJWT")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
