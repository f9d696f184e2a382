# SPDX-License-Identifier: Apache-2.0
"""Access tokens as Supabase issues them, signed by the instance's development key (ES256)."""

from __future__ import annotations

import json
import time
import uuid

from dev.instance import Instance
from dev.keys import base64url
from dev.shell import output_of

ISSUER = "https://auth.weir.localhost/auth/v1"
AUDIENCE = "authenticated"
ROLES = ("guest", "viewer", "operator", "admin", "platform")

# Names of development tenants and users become ids by this namespace (RFC 9562, version 5).
NAMESPACE = uuid.UUID("7d0f6a52-6d55-5d0e-9b0c-5f3e86c3a1d7")


def tenant_id(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"tenant|{name}"))


def mint(
    instance: Instance,
    tenant: str,
    *,
    role: str = "admin",
    sub: str | None = None,
    ttl_s: int = 3600,
) -> str:
    """A signed token for `role` in the tenant of that name; `sub` is made of both by default."""
    now = int(time.time())
    subject = sub or str(uuid.uuid5(NAMESPACE, f"user|{tenant}|{role}"))
    app_metadata: dict[str, object] = {
        "provider": "email",
        "providers": ["email"],
        "tenant_id": tenant_id(tenant),
        "tenant_role": "admin" if role == "platform" else role,
    }
    if role == "platform":
        app_metadata["platform"] = True
        app_metadata["scopes"] = ["platform"]
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": now + ttl_s,
        "iat": now,
        "sub": subject,
        "role": "authenticated",
        "session_id": str(uuid.uuid4()),
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "email": f"{role}@{tenant}.example",
        "phone": "",
        "is_anonymous": False,
        "app_metadata": app_metadata,
        "user_metadata": {},
    }
    return sign(instance, claims)


def sign(instance: Instance, claims: dict[str, object]) -> str:
    jwks = json.loads((instance.secrets / "jwks.json").read_text())
    header = {"alg": "ES256", "typ": "JWT", "kid": jwks["keys"][0]["kid"]}
    body = f"{encode(header)}.{encode(claims)}"
    key = instance.secrets / "jwt-key.pem"
    der = output_of(["openssl", "dgst", "-sha256", "-sign", str(key)], feed=body.encode())
    return f"{body}.{base64url(raw_signature(der))}"


def encode(part: dict[str, object]) -> str:
    return base64url(json.dumps(part, separators=(",", ":")).encode())


def raw_signature(der: bytes) -> bytes:
    """The 64 bytes r || s of a JWT (RFC 7518 3.4) out of DER's SEQUENCE of two INTEGERs."""
    at = 2
    numbers = []
    for _ in range(2):
        size = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + size], "big"))
        at += 2 + size
    return b"".join(number.to_bytes(32, "big") for number in numbers)
