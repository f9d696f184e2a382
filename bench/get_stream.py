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
import sys
import tempfile
import uuid
from pathlib import Path

from common.fastapi import FastApi
from common.keepalive import Connection
from common.report import ROOT, Report
from common.rig import Rig, rig
from common.samples import median
from common.wrk import with_token
from dev import packages
from tap_rig import wait_until

REPEATS = 5
SECONDS = 3

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
        (Path(scratch) / "told.json").write_text(json.dumps([token, told]))
        other = FastApi(Path(scratch), SERVER)
        api, theirs = [made.pid("api")], other.pids
        ours_us, theirs_us, ours_rate, theirs_rate = [], [], [], []
        try:
            for base in (made.api_url, other.url):
                answer = Connection(base, token).call("GET", path).expect(200)
                assert answer.json == told, f"{base} answers {answer.body!r}"
            for _ in range(REPEATS):
                us, rate = with_token(made.api_url + path, token, api, SECONDS)
                ours_us.append(us)
                ours_rate.append(rate)
                us, rate = with_token(other.url + path, token, theirs, SECONDS)
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
