# SPDX-License-Identifier: Apache-2.0
"""Tickets and logins are taken back while people watch: on the real services, through the gateway."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator

import pytest
from client import Answer, fetch
from conftest import free_port_base
from stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("weir") / "home", free_port_base())
    try:
        made.up()
        yield made
    finally:
        made.down()


def front_doors(stack: Stack, **headers: str) -> Answer:
    secret = (stack.home / "secrets" / "gateway-secret").read_text().strip()
    sent = {"X-Weir-Gateway-Secret": secret, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return fetch(f"http://127.0.0.1:{stack.port_base + 2}/internal/v1/front-doors", headers=sent)


def test_front_doors_are_told_keys_and_revocations(stack: Stack) -> None:
    answer = front_doors(stack).expect(200)
    told = answer.json
    assert answer.headers["cache-control"] == "no-store"
    assert (told["max_age_ms"], told["revocations"]) == (30000, [])
    assert told["revision"] >= 0 and told["now_ms"] > 1_700_000_000_000
    pem = stack.home / "secrets" / "ticket-key.pem"
    der = subprocess.run(
        ["openssl", "pkey", "-in", str(pem), "-pubout", "-outform", "DER"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    raw = der[-32:]
    assert told["ticket_keys"] == [
        {
            "kid": hashlib.sha256(raw).hexdigest()[:16],
            "alg": "EdDSA",
            "x": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        }
    ]
    again = front_doors(stack, If_None_Match=answer.headers["etag"]).expect(304)
    assert again.body == b""
    fetch(f"http://127.0.0.1:{stack.port_base + 2}/internal/v1/front-doors").expect(401)
    front_doors(stack, X_Weir_Gateway_Secret="x").expect(401)
