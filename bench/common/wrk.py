# SPDX-License-Identifier: Apache-2.0
"""Load over kept connections, and what it cost the server."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from common.keepalive import Connection
from common.process import cpu_us_of

CONNECTIONS = 32
THREADS = 8

def with_token(url: str, token: str, pids: list[int], seconds: int) -> tuple[float, float]:
    """Server CPU microseconds a request, and requests a second; every answer was a 2xx."""
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s",
            "-H", f"Authorization: Bearer {token}", url]  # fmt: skip
    before = cpu_us_of(pids)
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    spent = cpu_us_of(pids) - before
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found and "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    assert rate
    return spent / int(found.group(1)), float(rate.group(1))


def with_new_tokens(url: str, tokens: list[str], pids: list[int]) -> tuple[float, float]:
    """The same with each token once, which wrk cannot: by threads of this program, which are slower
    than the server, so the requests a second are theirs."""
    parts = urllib.parse.urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"

    def ask(share: list[str]) -> int:
        connection = Connection(base).open()
        for token in share:
            connection.token = token
            connection.call("GET", parts.path).expect(200)
        connection.close()
        return len(share)

    shares = [tokens[i::THREADS] for i in range(THREADS)]
    before, begun = cpu_us_of(pids), time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        n = sum(pool.map(ask, shares))
    took = time.monotonic() - begun
    return (cpu_us_of(pids) - before) / n, n / took
