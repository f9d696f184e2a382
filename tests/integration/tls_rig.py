# SPDX-License-Identifier: Apache-2.0
"""Cameras behind TLS: self-made certificates, and a proxy that writes down what it is sent."""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import ssl
import subprocess
import threading
from pathlib import Path


def openssl(*argv: object, given: bytes = b"") -> bytes:
    done = subprocess.run(
        ["openssl", *map(str, argv)], input=given, capture_output=True, check=True, timeout=60
    )
    return done.stdout


class Certificate:
    """Self-made, as cameras have them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.key, self.path = folder / f"{name}.key", folder / f"{name}.crt"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        openssl("req", "-x509", "-nodes", *curve, "-days", 2, "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.path)  # fmt: skip

    def pin(self) -> str:
        """As openssl prints it: with colons, in capitals."""
        text = openssl("x509", "-in", self.path, "-noout", "-fingerprint", "-sha256").decode()
        return text.strip().split("=")[1].replace(":", "").lower()

    def key_pin(self) -> str:
        public = openssl("x509", "-in", self.path, "-noout", "-pubkey")
        return hashlib.sha256(openssl("pkey", "-pubin", "-outform", "DER", given=public)).hexdigest()


class TlsProxy:
    """Decrypts what comes and hands it on to a camera. The first connection is shown the first of the
    certificates, and so on; all further ones the last."""

    def __init__(self, port: int, *certificates: Certificate) -> None:
        self.contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in certificates]
        for context, certificate in zip(self.contexts, certificates):
            context.load_cert_chain(certificate.path, certificate.key)
        self.to = port
        self.came: list[bytearray] = []  # decrypted, of each connection
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"rtsps://127.0.0.1:{self.port}/cam"

    def accept(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.came.append(bytearray())
            context = self.contexts[min(len(self.came), len(self.contexts)) - 1]
            argv = (plain, context, self.came[-1])
            threading.Thread(target=self.serve, args=argv, daemon=True).start()

    def serve(self, plain: socket.socket, context: ssl.SSLContext, came: bytearray) -> None:
        plain.settimeout(30)
        with contextlib.suppress(OSError), plain:
            with context.wrap_socket(plain, server_side=True) as near:
                with socket.create_connection(("127.0.0.1", self.to), 10) as far:
                    self.pump(near, far, came)

    def pump(self, near: ssl.SSLSocket, far: socket.socket, came: bytearray) -> None:
        while True:
            ready = [near] if near.pending() else select.select([near, far], [], [])[0]
            if near in ready:
                data = near.recv(65536)
                came += data
                far.sendall(data)
            else:
                data = far.recv(65536)
                near.sendall(data)
            if not data:
                return

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
