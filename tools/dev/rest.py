# SPDX-License-Identifier: Apache-2.0
"""A small client for Weir's REST API and for plain HTTP checks."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Only this machine is meant, whatever proxy the environment names.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """`status` is 0 when nobody answered; `error` then tells why."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: str = ""
    url: str = ""

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    def problem(self) -> str:
        """What went wrong, for a person."""
        if self.status == 0:
            return self.error
        text = self.body.decode("utf-8", "replace").strip()
        return f"HTTP {self.status} {text[:300]}"


def request(
    method: str,
    url: str,
    *,
    token: str | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 10,
) -> Answer:
    sent = dict(headers or {})
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    wanted = urllib.request.Request(url, data=data, headers=sent, method=method)
    try:
        with _opener.open(wanted, timeout=timeout_s) as reply:
            return Answer(reply.status, dict(reply.headers), reply.read(), url=reply.url)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read(), url=url)
    except OSError as error:
        return Answer(0, {}, b"", str(error), url)


def get(url: str, *, timeout_s: float = 10) -> Answer:
    return request("GET", url, timeout_s=timeout_s)


def is_ready(address: str) -> bool:
    return get(f"http://{address}/readyz", timeout_s=2).status == 200
