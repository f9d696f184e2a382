# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/streams/{id}` against FastAPI that answers the same from a dictionary.

Ours checks the token (cached after the first time), the tenant and the stream, all from memory. The
alternative is uvicorn with uvloop and httptools, one process, and remembers the same token's
verdict in a dictionary. Both get the same requests by wrk over kept connections, in turn; what counts is the CPU
time of the server a request, as the kernel measured it, so a busy machine does not decide.

Checked: both give the same JSON, and every answer was a 200.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from common.keepalive import Connection
from common.process import children, cpu_us_of
from common.report import ROOT, Report
from common.rig import Rig, rig
from common.samples import median
from dev import packages
from tap_rig import free_port, wait_until

VERSIONS = ("fastapi==0.115.6", "uvicorn[standard]==0.34.0")
REPEATS = 5
SECONDS = 3
CONNECTIONS = 32

# As its documentation shows it: who asks is a dependency, the answer is a dictionary. The verdict on
# the token is remembered, as ours is; everything is `async`, which is FastAPI's fastest way.
SERVER = '''
import json
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

token, told = json.load(open("told.json"))
tokens = {token: {"tenant_id": "t"}}
streams = {("t", told["id"]): told}
app = FastAPI()

async def user(given: HTTPAuthorizationCredentials = Depends(HTTPBearer())):
    if given.credentials not in tokens:
        raise HTTPException(401)
    return tokens[given.credentials]

@app.get("/v1/streams/{stream_id}")
async def get(stream_id: str, response: Response, who: dict = Depends(user)):
    stream = streams.get((who["tenant_id"], stream_id))
    if stream is None:
        raise HTTPException(404)
    response.headers["ETag"] = '"%d"' % stream["version"]
    return stream
'''


def environment() -> Path:
    """FastAPI and uvicorn in a folder of their own below build/, installed once."""
    place = ROOT / "build" / "bench" / "fastapi"
    done = place / ".installed"
    if not done.is_file() or done.read_text() != " ".join(VERSIONS):
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(place / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *VERSIONS], check=True)
        done.write_text(" ".join(VERSIONS))
    return place / "bin" / "uvicorn"


class FastApi:
    def __init__(self, folder: Path, token: str, stream: object) -> None:
        self.port = free_port()
        (folder / "told.json").write_text(json.dumps([token, stream]))
        (folder / "served.py").write_text(SERVER)
        argv = [str(environment()), "served:app", "--host", "127.0.0.1", "--port", str(self.port)]
        argv += ["--no-access-log", "--log-level", "error", "--loop", "uvloop"]
        argv += ["--http", "httptools"]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
        wait_until("FastAPI", self.is_up, 60)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_up(self) -> bool:
        try:
            return Connection(self.url, timeout_s=2).call("GET", "/openapi.json").status == 200
        except OSError:
            return False

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def load(url: str, token: str, pids: list[int]) -> tuple[float, float]:
    """Server CPU microseconds a request, and requests a second."""
    before = cpu_us_of(pids)
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s",
         "-H", f"Authorization: Bearer {token}", url],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    spent = cpu_us_of(pids) - before
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found and "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    n = int(found.group(1))
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    assert rate
    return spent / n, float(rate.group(1))


def make_stream(made: Rig) -> tuple[str, str, object]:
    """A stream that waits for its camera: nothing about it changes while it is asked for."""
    api = made.connect()
    camera = made.add_camera(api, "rtsp://127.0.0.1:9/nobody")
    body = {"camera_id": camera, "quality": "source"}
    key = f'"{uuid.uuid4()}"'
    stream = api.call("POST", "/v1/streams", body, Idempotency_Key=key).expect(202).json["id"]
    path = f"/v1/streams/{stream}"
    api.call("DELETE", path).expect(202)
    wait_until("stopped", lambda: api.call("GET", path).json["state"] in ("stopped", "cancelled"), 30)
    told = api.call("GET", path).expect(200).json
    return path, made.user_token, told


def main() -> int:
    report = Report("get_stream")
    packages.ensure(["bench"], ROOT / "build" / "results" / "setup.log")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch, rig(1) as made:
        path, token, told = make_stream(made)
        other = FastApi(Path(scratch), token, told)
        api = made.pid("api")
        theirs = [other.process.pid, *children(other.process.pid)]
        ours_us, theirs_us, ours_rate, theirs_rate = [], [], [], []
        try:
            for base in (made.api_url, other.url):
                answer = Connection(base, token).call("GET", path).expect(200)
                assert answer.json == told, f"{base} answers {answer.body!r}"
            for _ in range(REPEATS):
                us, rate = load(made.api_url + path, token, [api])
                ours_us.append(us)
                ours_rate.append(rate)
                us, rate = load(other.url + path, token, theirs)
                theirs_us.append(us)
                theirs_rate.append(rate)
                print(f"  CPU a request: {ours_us[-1]:.1f} us, FastAPI {us:.1f} us", flush=True)
            after = Connection(made.api_url, token).call("GET", path).expect(200)
            assert after.json == told, "the answer stayed the same"
        finally:
            other.close()
    report.keep("weir_cpu_us", ours_us)
    report.keep("fastapi_cpu_us", theirs_us)
    ours, alternative = median(ours_us), median(theirs_us)
    report.at_least(
        "GET /v1/streams/{id}, cached token, requests per core", 15, alternative / ours, "x FastAPI",
        f"CPU a request: Weir {ours:.1f} us ({1e6 / ours:,.0f}/s a core), FastAPI {alternative:.1f} us "
        f"({1e6 / alternative:,.0f}/s a core); seen {median(ours_rate):,.0f} and "
        f"{median(theirs_rate):,.0f} requests/s",
    )  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
