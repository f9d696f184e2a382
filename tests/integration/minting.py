# SPDX-License-Identifier: Apache-2.0
"""Access tokens of Supabase's shape, made by two libraries that know nothing of Weir: PyJWT (with
cryptography) and jose (in Node). Each has its own key pairs; only public keys leave them."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

MINTER = Path(__file__).resolve().parent / "minter" / "mint.mjs"


class Signer(Protocol):
    kid: str
    jwk: dict[str, Any]

    def sign(self, claims: dict[str, Any]) -> str: ...


class PyJwt:
    """One key pair in PyJWT's hands."""

    def __init__(self, kid: str, alg: str) -> None:
        self.kid, self.alg = kid, alg
        if alg == "ES256":
            self.key: Any = ec.generate_private_key(ec.SECP256R1())
            point = self.key.public_key().public_numbers()
            size = {"crv": "P-256", "kty": "EC"}
            self.jwk = {**size, "x": b64(point.x.to_bytes(32, "big")), "y": b64(point.y.to_bytes(32, "big"))}
        else:
            self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            self.jwk = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        self.jwk.update(kid=kid, alg=alg, use="sig", key_ops=["verify"])
        # What PyJWT reads back from the JWK must be the key, else the tests would prove nothing.
        assert (ECAlgorithm if alg == "ES256" else RSAAlgorithm).from_jwk(json.dumps(self.jwk))

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.key, self.alg, {"kid": self.kid, **header})


class Jose:
    """jose in a process of its own; `key` makes key pairs in it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", str(MINTER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def key(self, kid: str, alg: str) -> JoseKey:
        return JoseKey(self, kid, alg)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


class JoseKey:
    def __init__(self, jose: Jose, kid: str, alg: str) -> None:
        self.jose, self.kid, self.alg = jose, kid, alg
        self.jwk = jose.ask({"key": {"kid": kid, "alg": alg}})

    def sign(self, claims: dict[str, Any]) -> str:
        return str(self.jose.ask({"sign": {"kid": self.kid, "claims": claims}})["token"])


def b64(data: bytes) -> str:
    return jwt.utils.base64url_encode(data).decode()


def supabase_claims(issuer: str, tenant_id: str, **changes: Any) -> dict[str, Any]:
    """What Supabase Auth puts into an access token after a sign-in by password. A change to None
    takes the claim away."""
    now = int(time.time())
    sub = str(uuid.uuid4())
    email = f"{sub[:8]}@example.com"
    claims = {
        "iss": issuer,
        "sub": sub,
        "aud": "authenticated",
        "exp": now + 3600,
        "iat": now,
        "email": email,
        "phone": "",
        "app_metadata": {
            "provider": "email",
            "providers": ["email"],
            "tenant_id": tenant_id,
            "tenant_role": "admin",
        },
        "user_metadata": {
            "email": email,
            "email_verified": True,
            "phone_verified": False,
            "sub": sub,
        },
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "session_id": str(uuid.uuid4()),
        "is_anonymous": False,
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}
