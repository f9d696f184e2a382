# SPDX-License-Identifier: Apache-2.0
"""A whole Weir of the tests' own: its state folder, its ports, started and stopped by `./dev`."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from client import Api, wait_for

ROOT = Path(__file__).resolve().parents[2]

# In the stack's block of ports.
SECOND_API_PORT = 15


class Stack:
    def __init__(self, home: Path, port_base: int) -> None:
        self.home = home
        self.port_base = port_base
        self.environment = {
            **os.environ,
            "WEIR_HOME": str(home),
            "WEIR_PORT_BASE": str(port_base),
        }
        self.values: dict[str, str] = {}
        self.tenants: set[str] = set()
        self.shape: tuple[str, ...] = ()

    def dev(self, *args: str, seconds: float = 600) -> str:
        done = subprocess.run(
            [str(ROOT / "dev"), *args],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        command = " ".join(args)
        assert done.returncode == 0, f"./dev {command}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def up(
        self, workers: int = 1, schedulers: int = 1, apis: int = 1, restart: bool = False
    ) -> None:
        """Without `restart` what dies stays dead, so that a test can judge it."""
        numbers = {"workers": workers, "schedulers": schedulers, "apis": apis}
        wanted = [text for name, n in numbers.items() for text in (f"--{name}", str(n))]
        self.shape = (*wanted, *([] if restart else ["--no-restart"]))
        self.dev("up", "--no-demo", *self.shape)
        lines = [line for line in self.dev("env").splitlines() if "=" in line]
        self.values = dict(line.split("=", 1) for line in lines)

    @contextmanager
    def running(self, **shape: int) -> Iterator[Stack]:
        """Up inside the block, wiped after it."""
        try:
            self.up(**shape)
            yield self
        finally:
            self.down()

    def start_what_is_dead(self) -> None:
        """Brings the stack back to what `up` was told; what runs is left alone."""
        self.dev("up", "--no-demo", *self.shape)

    def down(self) -> None:
        self.dev("down", "--wipe")
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def api_url(self) -> str:
        return self.values["WEIR_API_URL"]

    @property
    def second_api_url(self) -> str:
        return f"http://127.0.0.1:{self.port_base + SECOND_API_PORT}"

    def both(self, user: Api) -> tuple[Api, Api]:
        """The same user at the first api and at the second one."""
        return user, Api(self.second_api_url, user.token)

    def token(self, tenant: str, role: str = "admin", *more: str) -> str:
        out = self.dev("token", "--tenant", tenant, "--role", role, *more)
        return out.strip().splitlines()[-1]

    def platform(self) -> Api:
        return Api(self.api_url, self.token("platform", "platform"))

    def user(self, tenant: str, role: str = "admin") -> Api:
        """A user of the tenant, which is made when it is not there yet."""
        token = self.token(tenant, role)
        if tenant not in self.tenants:
            claims = token_claims(token)
            body = {"id": claims["app_metadata"]["tenant_id"], "name": tenant}
            self.platform().call("POST", "/v1/tenants", body).expect(201, 409)
            self.tenants.add(tenant)
        return Api(self.api_url, token)

    def change_tenant(self, tenant: str, **fields: Any) -> dict[str, Any]:
        tenant_id = token_claims(self.token(tenant))["app_metadata"]["tenant_id"]
        answer = self.platform().call("PATCH", f"/v1/tenants/{tenant_id}", fields).expect(200)
        return dict(answer.json)

    def camera(self, name: str, *flags: str) -> str:
        """Starts a test camera; returns its RTSP URL (without credentials)."""
        out = self.dev("camera", "add", name, *flags)
        found = re.findall(r"rtsp://\S+", out)
        assert found, out
        return re.sub(r"//[^/@]*@", "//", found[-1])

    def processes(self, name: str) -> list[int]:
        """Pids of this stack's processes with that program name, told apart by their environment
        or arguments naming its state folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
                mine = str(self.home).encode() in (entry / "environ").read_bytes() or any(
                    str(self.home).encode() in part for part in argv
                )
                # A child gets a clean environment; its parent's then tells.
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                above = Path("/proc") / parent / "environ"
                mine = mine or str(self.home).encode() in above.read_bytes()
                if mine and Path(argv[0].decode()).name == name:
                    found.append(int(entry.name))
            except (OSError, IndexError, UnicodeDecodeError):
                continue
        return sorted(found)

    def kill(self, name: str, sig: int = signal.SIGKILL) -> list[int]:
        pids = self.processes(name)
        assert pids, f"no process {name} of this stack"
        for pid in pids:
            os.kill(pid, sig)
        return pids

    def logs(self) -> list[Path]:
        return [path for path in (self.home / "log").rglob("*") if path.is_file()]

    def gateway_lines(self, file: str, n: int) -> list[dict[str, str]]:
        """The access log's lines about this file, once there are `n`: nginx writes them each second."""
        path = next(path for path in self.logs() if path.name == "access.log")

        def read() -> list[dict[str, str]]:
            lines = [json.loads(row) for row in path.read_text().splitlines() if row.endswith("}")]
            found = [line for line in lines if line["file"] == file]
            return found if len(found) >= n else []

        return wait_for(f"{n} lines about {file}", read, 30)

    def produce(self, topic: str, value: bytes, key: str, partition: int = 0) -> None:
        """Writes one record as it is, past every daemon."""
        subprocess.run(
            ["kcat", "-q", "-b", self.values["WEIR_KAFKA"], "-P", "-t", topic, "-p",
             str(partition), "-k", key, "-D", "\x1e"],
            input=value, check=True, timeout=30,
        )  # fmt: skip

    def weirctl(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Runs weirctl as the operator of this stack would."""
        build = Path(os.environ.get("WEIR_TEST_BUILD") or ROOT / "build" / "release")
        program = build / "weirctl" / "weirctl"
        environment = {
            **self.environment,
            "WEIR_KAFKA": self.values["WEIR_KAFKA"],
            "WEIR_POSTGRES": self.values["WEIR_POSTGRES"],
        }
        return subprocess.run(
            [str(program), *args],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def token_claims(token: str) -> dict[str, Any]:
    import base64

    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def since(start: float) -> float:
    return time.monotonic() - start


__all__ = ["Stack", "since", "token_claims", "wait_for"]
