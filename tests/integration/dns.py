# SPDX-License-Identifier: Apache-2.0
"""A name server of the tests' own, for one process: its answers may change from query to query.

    with NameServer(folder) as names:
        names["cam.test"] = ["127.0.0.1"]
        subprocess.Popen([*names.command, program])       asks nobody else

The process gets a private /etc/resolv.conf by a mount namespace, so it runs as root only. A resolver
asks port 53, so the server has a loopback address that nobody else uses."""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

A, AAAA = 1, 28
Answer = list[str] | Callable[[int], list[str]]


class NameServer:
    def __init__(self, folder: Path) -> None:
        self.names: dict[str, Answer] = {}
        self.asked: list[str] = []  # of A queries, in order
        self.socket, self.address = self.bind()
        self.resolv = folder / "resolv.conf"
        self.resolv.write_text(f"nameserver {self.address}\noptions timeout:2 attempts:3\n")
        self.nsswitch = folder / "nsswitch.conf"
        self.nsswitch.write_text("hosts: files dns\n")
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def bind() -> tuple[socket.socket, str]:
        while True:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            address = f"127.53.{random.randrange(256)}.{random.randrange(1, 255)}"
            try:
                made.bind((address, 53))
                return made, address
            except OSError:
                made.close()

    @property
    def command(self) -> list[str]:
        """Becomes what stands behind it, which then knows this name server only."""
        script = 'mount --bind "$0" /etc/resolv.conf && mount --bind "$1" /etc/nsswitch.conf'
        script += ' && shift && exec "$@"'
        unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        return [*unshare, str(self.resolv), str(self.nsswitch)]

    def __setitem__(self, name: str, answer: Answer) -> None:
        self.names[name] = answer

    def __enter__(self) -> NameServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def count(self, name: str) -> int:
        return self.asked.count(name)

    def serve(self) -> None:
        while True:
            try:
                query, sender = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(query), sender)
            except OSError:
                return

    def answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name = ".".join(labels)
        (kind,) = struct.unpack("!H", query[at + 1 : at + 3])
        known = self.names.get(name)
        before = self.asked.count(name)
        if kind == A:
            self.asked.append(name)
        addresses = known(before) if callable(known) else known or []
        version = {A: 4, AAAA: 6}.get(kind, 0)
        packed = [ip.packed for ip in map(ipaddress.ip_address, addresses) if ip.version == version]
        records = [
            b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data for data in packed
        ]
        code = 0x8180 if known is not None else 0x8183
        head = query[:2] + struct.pack("!HHHHH", code, 1, len(records), 0, 0)
        return head + query[12 : at + 5] + b"".join(records)


def is_root() -> bool:
    return os.geteuid() == 0
