# SPDX-License-Identifier: Apache-2.0
"""Test cameras of an instance: real RTSP servers (tests/camera), each with a fault switch."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev import build, keeper
from dev.instance import MAX_CAMERAS, Instance, write_private
from dev.ports import listeners, require_free
from dev.services import log_says, log_size
from dev.ui import DevError, Step

FAULTS = (
    "none",
    "silent",
    "freeze",
    "garbage",
    "refuse",
    "wrongpass",
    "redirect",
    "notfound",
    "busy",
    "nokey",
    "lossy",
    "very-lossy",
    "frozen",
    "black",
    "covered",
    "clock",
)
OPTIONS = (
    "codec", "pixels", "size", "fps", "gop", "bframes", "audio", "bitrate", "picture", "path", "redirect",
    "user",
)  # fmt: skip
PATH = "/cam"


@dataclass(frozen=True)
class Camera:
    name: str
    port: int
    options: Mapping[str, Any]

    @property
    def url(self) -> str:
        """Without credentials, as the REST API wants it."""
        return f"rtsp://127.0.0.1:{self.port}{self.options.get('path') or PATH}"

    @property
    def process(self) -> str:
        return f"camera-{self.name}"


def folder(instance: Instance) -> Path:
    return instance.home / "cameras"


def fault_file(instance: Instance, name: str) -> Path:
    return folder(instance) / f"{name}.fault"


def load(instance: Instance, name: str) -> Camera | None:
    try:
        data = json.loads((folder(instance) / f"{name}.json").read_text())
        return Camera(name, int(data["port"]), data["options"])
    except (OSError, ValueError, KeyError):
        return None


def every(instance: Instance) -> list[Camera]:
    found = (load(instance, path.stem) for path in sorted(folder(instance).glob("*.json")))
    return [camera for camera in found if camera is not None]


def free_port(instance: Instance) -> int:
    taken = {camera.port for camera in every(instance)} | set(listeners())
    for slot in range(MAX_CAMERAS):
        if instance.camera_port(slot) not in taken:
            return instance.camera_port(slot)
    raise DevError(f"all {MAX_CAMERAS} camera ports are in use; `./dev camera kill NAME` frees one")


def start(
    instance: Instance,
    name: str,
    options: Mapping[str, Any],
    *,
    password: str | None = None,
    fault: str = "none",
) -> Camera:
    """Starts a camera; one of the same name that runs already is left as it is."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name):
        raise DevError(f"{name!r} is no camera name: 1-32 of a-z, 0-9 and -")
    with Step(f"camera {name}") as step:
        known = load(instance, name)
        if known is not None and keeper.running(instance, known.process):
            step.note = f"{known.url}  (was running)"
            return known
        folder(instance).mkdir(exist_ok=True, mode=0o700)
        kept = {key: options[key] for key in OPTIONS if options.get(key) is not None}
        camera = Camera(name, known.port if known else free_port(instance), kept)
        require_free(**{f"camera_{name}": camera.port})
        argv = [str(build.binary("weir-testcamera")), f"--port={camera.port}"]
        argv += [f"--{key}={value}" for key, value in kept.items()]
        argv += [f"--control={fault_file(instance, name)}"]
        if password is not None:
            secret = folder(instance) / f"{name}.password"
            write_private(secret, password + "\n")
            argv += [f"--password-file={secret}"]
        set_fault(instance, name, fault)
        text = json.dumps({"port": camera.port, "options": kept})
        write_private(folder(instance) / f"{name}.json", text + "\n")
        since = log_size(instance, camera.process)
        keeper.start(instance, camera.process, argv)
        # The first start on a machine looks through GStreamer's plugins, which takes a while.
        keeper.wait_ready(
            instance,
            camera.process,
            lambda: log_says(instance, camera.process, since, "listening on"),
            60,
        )
        step.note = camera.url
        return camera


def set_fault(instance: Instance, name: str, fault: str) -> None:
    if fault not in FAULTS:
        raise DevError(f"{fault!r} is no fault: {', '.join(FAULTS)}")
    write_private(fault_file(instance, name), fault + "\n")


def fault_of(instance: Instance, name: str) -> str:
    path = fault_file(instance, name)
    return path.read_text().strip() if path.is_file() else "none"


def kill(instance: Instance, name: str) -> None:
    """Ends a camera as a power cut does, and forgets it."""
    camera = load(instance, name)
    if camera is None:
        raise DevError(f"there is no camera {name!r}; `./dev camera list` shows them")
    keeper.stop(instance, camera.process, how=signal.SIGKILL)
    for path in folder(instance).glob(f"{name}.*"):
        if path.stem == name:
            path.unlink()
