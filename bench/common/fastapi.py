# SPDX-License-Identifier: Apache-2.0
"""FastAPI as its documentation shows it: uvicorn with uvloop and httptools, one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from common.keepalive import Connection
from common.process import children
from common.report import ROOT
from tap_rig import free_port, wait_until

VERSIONS = ("fastapi==0.115.6", "uvicorn[standard]==0.34.0")


def environment(*more: str) -> Path:
    """FastAPI, uvicorn and `more` in a folder of their own below build/, installed once."""
    versions = (*VERSIONS, *more)
    place = ROOT / "build" / "bench" / "-".join(["fastapi", *(one.split("[")[0] for one in more)])
    done = place / ".installed"
    if not done.is_file() or done.read_text() != " ".join(versions):
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *versions], check=True)
        done.write_text(" ".join(versions))
    return place / "bin" / "uvicorn"


class FastApi:
    """Serves the program `text`, whose `app` it is, in `folder`: what it reads lies there."""

    def __init__(self, folder: Path, text: str, *more: str) -> None:
        self.port = free_port()
        (folder / "served.py").write_text(text)
        argv = [str(environment(*more)), "served:app", "--host", "127.0.0.1"]
        argv += ["--port", str(self.port), "--no-access-log", "--log-level", "error"]
        argv += ["--loop", "uvloop", "--http", "httptools"]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
        wait_until("FastAPI", self.is_up, 60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[int]:
        return [self.process.pid, *children(self.process.pid)]

    def is_up(self) -> bool:
        try:
            return Connection(self.url, timeout_s=2).call("GET", "/openapi.json").status == 200
        except OSError:
            return False

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
