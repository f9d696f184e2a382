# SPDX-License-Identifier: Apache-2.0
"""A whole Weir for one benchmark: its own state folder and ports, wiped at the end.

`WEIR_BENCH_HOME` keeps one for several runs by hand: what already runs there is used and left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from common.keepalive import Connection
from common.process import children
from conftest import free_port_base
from dev import keeper
from dev.instance import Instance
from stack import Stack

TENANT = "bench"
MANY = 100_000


class Rig(Stack):
    """The integration tests' stack, and what measuring needs besides."""

    def __init__(self, home: Path, base: int) -> None:
        super().__init__(home, base)
        self.instance = Instance(home, base)

    def setting(self, program: str, **values: str) -> None:
        """Settings for a daemon that is not started yet."""
        folder = self.home / "local"
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        (folder / f"{program}.env").write_text(text)

    def begin(self, workers: int = 1) -> Rig:
        self.up(workers)
        self.platform_tenant()
        return self

    def platform_tenant(self) -> None:
        """The benchmarks' tenant, with no limit that a benchmark could meet."""
        token = self.token("platform", "platform")
        connection = Connection(self.api_url, token)
        self.user_token = self.token(TENANT)
        body = {"max_streams": MANY, "max_cameras": MANY, "max_warm_cameras": MANY}
        tenant = self.tenant_id(self.user_token)
        connection.call("POST", "/v1/tenants", {"id": tenant, "name": TENANT, **body})
        version = connection.call("GET", f"/v1/tenants/{tenant}").expect(200)
        connection.call(
            "PATCH", f"/v1/tenants/{tenant}", body, If_Match=version.headers["etag"]
        ).expect(200)

    @staticmethod
    def tenant_id(token: str) -> str:
        from stack import token_claims

        return str(token_claims(token)["app_metadata"]["tenant_id"])

    def connect(self) -> Connection:
        return Connection(self.api_url, self.user_token).open()

    def gateway(self) -> Connection:
        return Connection(self.values["WEIR_GATEWAY_URL"]).open()

    def add_camera(self, connection: Connection, url: str, **fields: object) -> str:
        body = {"name": f"b-{uuid.uuid4().hex[:8]}", "source": {"url": url, "transport": "tcp"}}
        made = connection.call("POST", "/v1/cameras", {**body, **fields}).expect(201)
        return str(made.json["id"])

    @staticmethod
    def start_stream(connection: Connection, camera: str) -> str:
        """Of the camera as it is; one that nobody asked for before."""
        body = {"camera_id": camera, "quality": "source"}
        key = f'"{uuid.uuid4()}"'
        made = connection.call("POST", "/v1/streams", body, Idempotency_Key=key).expect(202)
        return str(made.json["id"])

    def pid(self, name: str) -> int:
        """A daemon's process, as `./dev status` names it."""
        process = keeper.running(self.instance, name)
        assert process is not None, f"{name} is not running"
        return process.pid

    def tree(self, name: str) -> list[int]:
        leader = self.pid(name)
        return [leader, *children(leader)]


@contextlib.contextmanager
def rig(workers: int = 1, **settings: dict[str, str]) -> Iterator[Rig]:
    """A running Weir. `settings`: program (underscores for hyphens) to environment."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    kept = os.environ.get("WEIR_BENCH_HOME")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
        base = int(os.environ.get("WEIR_BENCH_PORT_BASE") or free_port_base())
        made = Rig(Path(kept) if kept else Path(scratch) / "home", base)
        for program, values in settings.items():
            made.setting(program.replace("_", "-"), **values)
        try:
            yield made.begin(workers)
        finally:
            if not kept:
                made.down()
