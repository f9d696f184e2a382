# SPDX-License-Identifier: Apache-2.0
"""What the cases stand on: one real Weir, both of its front doors, and a way to spoil its origin.

    viewer ──▶ gateway (nginx) ──────────────────────────────▶┐
    viewer ──▶ Worker (workerd) ──▶ the gateway's CDN door ──▶├──▶ spoiler ──▶ weir-origin ──▶ MediaMTX
"""

from __future__ import annotations

import base64
import http.server
import json
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ticket_form
from client import Answer, Api, Playlist, Viewer, fetch, wait_for
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from stack import Stack, token_claims

ROOT = Path(__file__).resolve().parents[2]
SPOILER_OFFSET = 90  # in the stack's block of ports
PLAYBACKS_MAX = 8  # of a viewer


class Spoiler(http.server.ThreadingHTTPServer):
    """Stands before a worker's origin: passes on and counts, or is broken as a test says."""

    daemon_threads = True

    def __init__(self, port: int, origin: str) -> None:
        self.origin = origin
        self.mode = "pass"  # or down, silent, errors, slow
        self.asked: Counter[str] = Counter()
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Clients that give up are part of the game."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Spoiler
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        spoiler = self.server
        spoiler.asked[self.path.rsplit("/", 1)[1]] += 1
        mode = spoiler.mode
        if mode == "down":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        while mode == "silent" and spoiler.mode == "silent":
            time.sleep(0.1)
        if mode == "slow":
            time.sleep(0.7)
        if mode == "errors":
            self.reply(500, {"Set-Cookie": "a=b", "Content-Type": "text/plain"}, b"a secret of the origin")
            return
        names = ("Authorization", "X-Weir-Second", "X-Request-Id")
        headers = {name: self.headers[name] for name in names if name in self.headers}
        request = urllib.request.Request(spoiler.origin + self.path, headers=headers)
        try:
            with self.opener.open(request, timeout=30) as answer:
                self.reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            self.reply(error.code, dict(error.headers), error.read())

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Worker:
    """The CDN's Worker in workerd; its output goes to a file."""

    def __init__(self, log: Path, variables: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["node", str(ROOT / "cdn" / "tests" / "serve.mjs")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(variables) + "\n")
        self.process.stdin.flush()
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), log.read_text()
        self.reader = threading.Thread(target=self._keep, daemon=True)
        self.reader.start()

    def _keep(self) -> None:
        assert self.process.stdout
        with self.log.open("a") as output:
            for line in self.process.stdout:
                output.write(line)

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(10)
        self.process.stdout.close()


@dataclass(frozen=True)
class Door:
    name: str
    url: str

    def ask(self, path: str, **more: Any) -> Answer:
        return fetch(self.url + path, **more)


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Mint:
    """Tickets as the api signs them, and some that it never would."""

    key: Ed25519PrivateKey
    claims: dict[str, Any]

    def ticket(self, key: Ed25519PrivateKey | None = None, **changed: Any) -> str:
        now = int(time.time())
        fresh = {"n": now - 1, "e": now + 600, "i": str(uuid.uuid4())}
        return self.sign({**self.claims, **fresh, **changed}, key)

    def sign(self, claims: dict[str, Any], key: Ed25519PrivateKey | None = None) -> str:
        text = encode(ticket_form.pack(claims))
        return f"{text}.{encode((key or self.key).sign(text.encode()))}"


@dataclass
class Watched:
    """A running stream, by the files that a viewer asks for."""

    user: Api
    tenant: str
    id: str
    mint: Mint
    generation: str
    files: dict[str, str] = field(default_factory=dict)  # kind -> file name

    def path(self, ticket: str, rest: str) -> str:
        return f"/live/{ticket}/{self.id}/{rest}"

    def of(self, kind: str, ticket: str | None = None) -> str:
        """The path of one of its files, by a good ticket unless another is given."""
        place = "" if kind == "entry" else f"{self.generation}/"
        return self.path(ticket or self.mint.ticket(), place + self.files[kind])


class Rig:
    def __init__(self, folder: Path, port_base: int) -> None:
        self.stack = Stack(folder / "home", port_base)
        local = self.stack.home / "local"
        local.mkdir(parents=True)
        at = port_base + SPOILER_OFFSET
        (local / "worker-0.env").write_text(f"WEIR_ORIGIN_URL=http://127.0.0.1:{at}\n")
        (local / "weir-api.env").write_text(f"WEIR_PLAYBACKS_VIEWER_MAX={PLAYBACKS_MAX}\n")
        self.spoiler = Spoiler(at, f"http://127.0.0.1:{port_base + 40}")
        self.folder = folder
        self.workers: list[Worker] = []
        self.doors: dict[str, Door] = {}
        self.streams: dict[str, Watched] = {}

    def up(self) -> None:
        self.stack.up()
        self.doors["gateway"] = Door("gateway", self.stack.values["WEIR_GATEWAY_URL"])
        self.doors["worker"] = Door("worker", self.worker().url)
        for tenant in ("acme", "other"):
            self.streams[tenant] = self.watch(tenant, "yard")
        yard, worker = self.streams["acme"], self.doors["worker"]
        wait_for("the Worker has its list", lambda: worker.ask(yard.of("entry")).status == 302, 60)

    def worker(self) -> Worker:
        secret = (self.stack.home / "secrets" / "cdn-secret").read_text().strip()
        variables = {
            "REGION_URL": self.stack.values["WEIR_REGION_URL"],
            "CDN_SECRET": secret,
            "ALLOW_ORIGINS": "*",
        }
        log = self.folder / f"worker-{len(self.workers)}.log"
        self.workers.append(Worker(log, variables))
        return self.workers[-1]

    def down(self) -> None:
        for worker in self.workers:
            worker.close()
        self.stack.down()
        self.spoiler.shutdown()
        self.spoiler.server_close()

    def start(self, tenant: str, name: str, **fields: Any) -> tuple[Api, str]:
        user = self.stack.user(tenant)
        url = self.stack.camera(f"{tenant}-{name}", "--gop", "1", "--size", "320x180", "--bitrate", "300")
        camera = user.add_camera(name, url, **{"idle_timeout_s": 900, **fields})
        stream = user.start(camera["id"])
        user.wait_state(stream["id"], "running")
        return user, str(stream["id"])

    def watch(self, tenant: str, name: str) -> Watched:
        user, stream = self.start(tenant, name)
        pem = (self.stack.home / "secrets" / "ticket-key.pem").read_bytes()
        key = load_pem_private_key(pem, None)
        assert isinstance(key, Ed25519PrivateKey)
        url = user.ticket(stream)
        claims = ticket_form.unpack(url.split("/live/")[1].split("/")[0])
        tenant_id = str(token_claims(user.token or "")["app_metadata"]["tenant_id"])
        generation = fetch(url).expect(302).headers["location"].split("/")[0]
        watched = Watched(user, tenant_id, stream, Mint(key, claims), generation)
        self.refresh(watched)
        return watched

    def refresh(self, watched: Watched) -> None:
        """Names of files that are there now. The newest segment was not asked for before."""
        playlist = Viewer(self.doors["gateway"].url + watched.path(watched.mint.ticket(), "index.m3u8"))
        media = playlist.open().playlist()
        names = [uri.rsplit("/", 1)[1] for uri in media.uris()]
        assert media.init_uri
        watched.files = {
            "entry": "index.m3u8",
            "index": "index.m3u8",
            "playlist": media.url.rsplit("/", 1)[1],
            "init": media.init_uri.rsplit("/", 1)[1],
            "segment": names[-1],
        }

    def newest(self, watched: Watched, door: Door) -> str:
        """The newest segment, as this door's playlist names it."""
        text = door.ask(watched.of("playlist")).expect(200).body.decode()
        return Playlist("http://x/", text).uris()[-1].rsplit("/", 1)[1]

    def guest(self, tenant: str, watched: Watched, **more: Any) -> tuple[Api, str, str]:
        """Somebody who may watch this by a grant; the grant, and the path of the camera in its group."""
        admin = watched.user
        group = admin.call("POST", "/v1/groups", {"name": "yard"}).expect(201).json["id"]
        member = f"/v1/groups/{group}/cameras/{watched.mint.claims['c']}"
        admin.call("PUT", member).expect(204)
        subject = str(uuid.uuid4())
        body = {"subject": subject, "group_id": group, **more}
        grant = admin.call("POST", "/v1/grants", body).expect(201).json["id"]
        token = self.stack.token(tenant, "guest", "--sub", subject)
        return Api(self.stack.api_url, token), str(grant), member

    def revoke(self, watched: Watched, kind: str, object_id: str) -> None:
        body = {"kind": kind, "object_id": object_id, "reason": "conformance"}
        watched.user.call("POST", "/v1/revocations", body).expect(200, 201)


__all__ = ["PLAYBACKS_MAX", "Answer", "Door", "Mint", "Rig", "Watched", "wait_for"]
