# SPDX-License-Identifier: Apache-2.0
"""The secrets and keys of an instance: made once, kept in `$WEIR_HOME/secrets` (0600)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from pathlib import Path

from dev.instance import Instance, write_private
from dev.shell import output_of

RANDOM = (
    "worker-secret",
    "gateway-secret",
    "origin-secret",
    "cdn-secret",
    "tally-secret",
    "rewrap-secret",
    "redis-password",
    "redis-api-password",
    "redis-scheduler-password",
    "redis-worker-password",
    "postgres-password",
    "postgres-owner-password",
    "postgres-api-password",
    "postgres-audit-password",
)


def ensure(instance: Instance) -> None:
    """Makes what is missing; never replaces what is there."""
    folder = instance.secrets
    for name in RANDOM:
        if not (folder / name).exists():
            write_private(folder / name, secrets.token_hex(24) + "\n")
    if not (folder / "jwt-key.pem").exists():
        curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        write_private(folder / "jwt-key.pem", new_key(*curve).decode())
    if not (folder / "jwks.json").exists():
        write_private(folder / "jwks.json", json.dumps(jwks(folder / "jwt-key.pem")) + "\n")
    if not (folder / "ticket-key.pem").exists():
        write_private(folder / "ticket-key.pem", new_key("-algorithm", "ED25519").decode())
    if not (folder / "seal.key").exists() or not (folder / "seal.pub").exists():
        public, private = seal_pair()
        write_private(folder / "seal.key", private.hex() + "\n")
        write_private(folder / "seal.pub", public.hex() + "\n")
    if not (folder / "source-sign.key").exists() or not (folder / "source-sign.pub").exists():
        public, private = raw_pair("ED25519")
        write_private(folder / "source-sign.key", private.hex() + "\n")
        write_private(folder / "source-sign.pub", public.hex() + "\n")


def read(instance: Instance, name: str) -> str:
    return (instance.secrets / name).read_text().strip()


def new_key(*options: str) -> bytes:
    return output_of(["openssl", "genpkey", *options])


def public_der(pem: bytes) -> bytes:
    return output_of(["openssl", "pkey", "-pubout", "-outform", "DER"], feed=pem)


def seal_pair() -> tuple[bytes, bytes]:
    """An X25519 pair for libsodium's sealed boxes, public and private."""
    return raw_pair("X25519")


def raw_pair(algorithm: str) -> tuple[bytes, bytes]:
    """DER of such keys ends with the 32 raw bytes."""
    pem = new_key("-algorithm", algorithm)
    return public_der(pem)[-32:], output_of(["openssl", "pkey", "-outform", "DER"], feed=pem)[-32:]


def jwks(key: Path) -> dict[str, object]:
    """The public half of the JWT key (RFC 7517); `kid` is its RFC 7638 thumbprint."""
    point = public_der(key.read_bytes())[-64:]
    jwk = {"crv": "P-256", "kty": "EC", "x": base64url(point[:32]), "y": base64url(point[32:])}
    canonical = json.dumps(jwk, separators=(",", ":"), sort_keys=True).encode()
    kid = base64url(hashlib.sha256(canonical).digest())
    return {"keys": [{**jwk, "kid": kid, "alg": "ES256", "use": "sig"}]}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
