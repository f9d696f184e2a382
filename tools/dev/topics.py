# SPDX-License-Identifier: Apache-2.0
"""Reads what a topic holds."""

from __future__ import annotations

import subprocess

# kcat takes an empty answer for the end. Kafka holds an answer back for half a second while nothing
# comes, so three workers' heartbeats can keep a reader from ever seeing one.
_SOON = ("-X", "fetch.wait.max.ms=10")


def read(
    brokers: str,
    topic: str,
    *form: str,
    partition: int | None = 0,
    offset: str = "beginning",
    timeout_s: float = 60,
) -> str:
    """From `offset` to the end, printed as `form` tells kcat to; every partition for None."""
    which = [] if partition is None else ["-p", str(partition)]
    argv = ["kcat", "-C", "-q", "-e", *_SOON, "-b", brokers, "-t", topic, *which, "-o", offset]
    done = subprocess.run([*argv, *form], capture_output=True, check=True, timeout=timeout_s)
    return done.stdout.decode("utf-8", "replace")
