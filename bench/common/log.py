# SPDX-License-Identifier: Apache-2.0
"""Reads the cell's topics as they stand, with the times at which records were made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dev import topics


@dataclass
class Record:
    offset: int
    at_ms: int
    event: dict[str, Any]


def records(brokers: str, topic: str, partition: int = 0) -> list[Record]:
    """Everything kept in one partition."""
    found = []
    for line in topics.read(brokers, topic, "-f", "%o\t%T\t%s\n", partition=partition).splitlines():
        offset, at_ms, value = line.split("\t", 2)
        found.append(Record(int(offset), int(at_ms), json.loads(value)))
    return found
