# SPDX-License-Identifier: Apache-2.0
"""Reads tools/setup/pins.toml, and keeps what was fetched or built by it in one cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dev.instance import ROOT

PINS_FILE = ROOT / "tools" / "setup" / "pins.toml"


def pins() -> dict[str, Any]:
    with PINS_FILE.open("rb") as file:
        return tomllib.load(file)


def cache_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "weir"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The cache folder `name`, made by `make(folder)` when it is missing.

    `make` fills a folder of its own which is renamed into place as its last step, so a folder in
    the cache is always whole. Two commands that want the same folder make it once.
    """
    wanted = cache_root() / name
    if wanted.is_dir():
        return wanted
    with cache_lock(name):
        if wanted.is_dir():
            return wanted
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache_root()))
        scratch.chmod(0o755)
        try:
            make(scratch)
            scratch.rename(wanted)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return wanted


@contextlib.contextmanager
def cache_lock(name: str) -> Iterator[None]:
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
