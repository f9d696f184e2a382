# SPDX-License-Identifier: Apache-2.0
"""weir-still and its decoders over a weir-tap, without a worker: its owner plays weir-worker on
descriptor 3 and weir-origin at its door."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tap_rig import BUILD, TENANT, UnixHttp, wait_until

STILL = BUILD / "worker" / "still" / "weir-still"
DECODE = BUILD / "worker" / "decode" / "weir-decode"


@dataclass
class Picture:
    status: int
    head: dict[str, Any]  # what weir-still says of it, or why there is none
    image: bytes


class Still:
    def __init__(self, folder: Path, clip_socket: Path, **environment: str) -> None:
        folder.mkdir(exist_ok=True)
        self.socket = folder / "still.sock"
        self.stats: dict[str, int] = {}
        self.n_told = 0
        ours, theirs = socket.socketpair()
        self.pipe = ours
        settings = {
            "WEIR_STILL_SOCKET": str(self.socket),
            "WEIR_TAP_CLIP_SOCKET": str(clip_socket),
            "WEIR_DECODE": str(DECODE),
            **environment,
        }

        def on_three() -> None:
            os.dup2(theirs.fileno(), 3)

        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(STILL)], stdout=log, stderr=log, env={**os.environ, **settings},
                close_fds=False, preexec_fn=on_three,
            )  # fmt: skip
        theirs.close()
        threading.Thread(target=self.read, daemon=True).start()
        wait_until("weir-still", lambda: self.stats.get("decoders", 0) > 0, 30)
        self.door = UnixHttp(self.socket)

    def read(self) -> None:
        with self.pipe.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if message["type"] == "still.stats":
                    self.stats = message
                    self.n_told += 1

    def counted(self) -> dict[str, int]:
        """Its counters, with all that was answered before in them."""
        since = self.n_told
        wait_until("its counters", lambda: self.n_told > since + 1, 30)
        return self.stats

    def take(self, camera_id: str, at_us: int, **query: object) -> Picture:
        """`query` beside what is usual: see worker/still/question.h."""
        asked = {
            "at_us": at_us, "mode": "exact", "tolerance_us": 1_000_000, "wait_ms": 2000, "format": "png",
            "width": 0, "quality": 85, **query,
        }  # fmt: skip
        self.door.request("GET", f"/v1/still/{TENANT}/{camera_id}?{urllib.parse.urlencode(asked)}")
        answer = self.door.getresponse()
        head, _, image = answer.read().partition(b"\n")
        return Picture(answer.status, json.loads(head), image)

    def decoders(self) -> list[int]:
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def close(self) -> None:
        self.door.close()
        self.pipe.shutdown(socket.SHUT_RDWR)
        self.pipe.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
