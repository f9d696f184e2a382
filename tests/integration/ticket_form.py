# SPDX-License-Identifier: Apache-2.0
"""The form of a ticket's payload (lib/io/ticket.h), written down a second time: claims by their short names."""

from __future__ import annotations

import base64
import uuid
from typing import Any

IDS = "tcsuligm"  # tenant, camera, stream, viewer, login, ticket; grant and membership by a grant
BY_ROLE, BY_GRANT = 4, 5
IDS_AT = 19


def pack(claims: dict[str, Any]) -> bytes:
    """Whatever version is named, with the ids that are there."""
    times = [int(claims[name]).to_bytes(5, "big") for name in "ne"]
    ids = [uuid.UUID(claims[name]).bytes for name in IDS if claims.get(name) is not None]
    return b"".join([bytes([claims["v"]]), bytes.fromhex(claims["k"]), *times, *ids])


def unpack(ticket: str) -> dict[str, Any]:
    """The claims of a whole ticket; its signature is not looked at."""
    text = ticket.split(".")[0]
    payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    ids = [payload[at : at + 16] for at in range(IDS_AT, len(payload), 16)]
    return {
        "v": payload[0],
        "k": payload[1:9].hex(),
        "n": int.from_bytes(payload[9:14], "big"),
        "e": int.from_bytes(payload[14:19], "big"),
        **{name: str(uuid.UUID(bytes=one)) for name, one in zip(IDS, ids, strict=False)},
    }
