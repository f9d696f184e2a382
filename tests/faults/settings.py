# SPDX-License-Identifier: Apache-2.0
"""Settings that `./dev` gives to one daemon over its own: `$WEIR_HOME/local/NAME.env`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Lists, where a second tool adds to what the first one wrote; the loader takes colons.
LISTS = ("LD_PRELOAD",)


def read(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def add(home: Path, name: str, values: Mapping[str, str]) -> None:
    """Counts from the daemon's next start on. `name` as in `./dev status`."""
    path = home / "local" / f"{name}.env"
    path.parent.mkdir(parents=True, exist_ok=True)
    known = read(path)
    for key, value in values.items():
        there = known.get(key, "").split(":") if key in LISTS else []
        known[key] = ":".join([*(one for one in there if one and one != value), value])
    path.write_text("".join(f"{key}={value}\n" for key, value in known.items()))
