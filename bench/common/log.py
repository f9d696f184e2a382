# SPDX-License-Identifier: Apache-2.0
"""Reads the cell's topics as they stand, with the times at which records were made."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any


@dataclass
class Record:
    offset: int
    at_ms: int
    event: dict[str, Any]


def records(brokers: str, topic: str, partition: int = 0) -> list[Record]:
    """Everything kept in one partition."""
    done = subprocess.run(
        ["kcat", "-C", "-b", brokers, "-t", topic, "-p", str(partition), "-o", "beginning", "-e",
         "-q", "-f", "%o\t%T\t%s\n"],
        check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    found = []
    for line in done.stdout.splitlines():
        offset, at_ms, value = line.split("\t", 2)
        found.append(Record(int(offset), int(at_ms), json.loads(value)))
    return found
