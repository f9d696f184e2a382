# SPDX-License-Identifier: Apache-2.0
"""The key set of tokens by https, as an authentication service serves it."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Fetch:
    query: str  # tells apart who asks
    at: float  # monotonic
    status: int
    kids: tuple[str, ...]  # what was served, or confirmed


class KeyServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.keys: dict[str, Any] = {"keys": []}
        self.delay_s = 0.0
        self.has_etag = False
        self.log: list[Fetch] = []
        self.fetches = 0
        self.asked_at = 0.0
        self.ca = folder / "ca.pem"
        private = folder / "ca.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", str(private), "-out", str(self.ca), "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True, capture_output=True,
        )  # fmt: skip
        super().__init__(("127.0.0.1", 0), KeyHandler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, private)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}/auth/v1/.well-known/jwks.json"

    def of(self, query: str) -> list[Fetch]:
        return [fetch for fetch in self.log if fetch.query == query]

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class KeyHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, KeyServer)
        server.fetches += 1
        server.asked_at = time.monotonic()
        time.sleep(server.delay_s)
        keys = server.keys
        body = json.dumps(keys).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        is_known = server.has_etag and self.headers["If-None-Match"] == etag
        self.send_response(304 if is_known else 200)
        if server.has_etag:
            self.send_header("ETag", etag)
        if not is_known:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not is_known:
            self.wfile.write(body)
        kids = tuple(key["kid"] for key in keys["keys"])
        query = self.path.partition("?")[2]
        server.log.append(Fetch(query, server.asked_at, 304 if is_known else 200, kids))

    def log_message(self, *_: object) -> None:
        pass
