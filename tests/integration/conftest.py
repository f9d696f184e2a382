# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several test files share. Tests never touch the developer's own instance."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

# For `faults`, the tools that break things.
sys.path.insert(0, str(ROOT / "tests"))

from client import Api  # noqa: E402
from faults import settings  # noqa: E402
from stack import Stack  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: needs the machine for itself; runs after the others")


FIRST_BASE = 19500
LAST_BASE = 29900


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# Locks of the blocks that this process took; a lock ends with its file, at the latest with us.
TAKEN: list[IO[bytes]] = []


def take(base: int) -> bool:
    """Reserves a block against other test runs, which look for ports at the same time."""
    file = (Path(tempfile.gettempdir()) / f"weir-ports-{base}.lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    TAKEN.append(file)
    return True


def free_port_base() -> int:
    """The first of a block of 100 ports that nobody uses."""
    for base in range(FIRST_BASE, LAST_BASE, 100):
        if take(base) and all(is_free(base + offset) for offset in range(100)):
            return base
    raise AssertionError("no block of 100 free ports")


class Dev:
    """`./dev` for an instance of the test's own."""

    def __init__(self, home: Path, base: int) -> None:
        self.home = home
        self.base = base
        self.environment = {**os.environ, "WEIR_HOME": str(home), "WEIR_PORT_BASE": str(base)}

    def run(self, *args: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(ROOT / "dev"), *args],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def ok(self, *args: str, seconds: float = 300) -> str:
        done = self.run(*args, seconds=seconds)
        command = " ".join(args)
        assert done.returncode == 0, f"./dev {command}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def env(self) -> dict[str, str]:
        lines = [line for line in self.ok("env").splitlines() if "=" in line]
        return dict(line.split("=", 1) for line in lines)

    def status(self) -> dict[str, tuple[str, str]]:
        """name -> (pid, health)"""
        lines = self.run("status").stdout.splitlines()[1:]
        rows = [line.split() for line in lines if line and not line.startswith(" ")]
        return {row[0]: (row[1], row[2]) for row in rows}


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """An instance with nothing started in it yet; wiped at the end."""
    made = Dev(tmp_path_factory.mktemp("weir") / "home", free_port_base())
    try:
        yield made
    finally:
        made.run("down", "--wipe")


@pytest.fixture(scope="module")
def infra(dev: Dev) -> Dev:
    """The same with Kafka, Postgres and Redis running."""
    dev.ok("infra", "up")
    return dev


def stack_of(local: Mapping[str, Mapping[str, str]] | None = None, **shape: int) -> Any:
    """The fixture `stack` of a module: a whole Weir, with so many daemons as `Stack.up` says, and
    these settings over its own for some of them (`{"weir-api": {"WEIR_...": "..."}}`)."""

    @pytest.fixture(scope="module")
    def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
        made = Stack(tmp_path_factory.mktemp("weir") / "home", free_port_base())
        for daemon, values in (local or {}).items():
            settings.add(made.home, daemon, values)
        with made.running(**shape):
            yield made

    return stack


@pytest.fixture(scope="module")
def user(stack: Stack) -> Api:
    return stack.user("acme")


@pytest.fixture(scope="module")
def pair(stack: Stack) -> tuple[Api, Api]:
    """The same user at the first api and at the second one."""
    return stack.both(stack.user("acme"))
