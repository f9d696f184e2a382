# SPDX-License-Identifier: Apache-2.0
"""Weir's own daemons: their environment, their start, and when they count as ready."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev import build, keeper, keys, rest, services
from dev.instance import ROOT, Instance, make_private, write_private
from dev.ports import held_by, require_free
from dev.shell import run_logged
from dev.tokens import AUDIENCE, ISSUER, NAMESPACE
from dev.ui import DevError, Step

READY_TIMEOUT_S = 90


@dataclass(frozen=True)
class Daemon:
    """One process to run. `ports` are those it listens on; the last one is its admin port."""

    name: str
    program: str
    arguments: tuple[str, ...]
    env: Mapping[str, str]
    ports: Mapping[str, int]

    @property
    def admin(self) -> int:
        return list(self.ports.values())[-1]


def url_files(instance: Instance) -> dict[str, Path]:
    """URLs that hold a password, each in a file of its own: daemons take secrets from files."""
    texts = {
        **{f"redis-{who}": services.redis_url(instance, who) for who in services.REDIS_USERS},
        "postgres-owner": services.postgres_url(instance, "weir_owner"),
        "postgres-api": services.postgres_url(instance, "weir_api"),
        "postgres-audit": services.postgres_url(instance, "weir_audit"),
    }
    files = {name: instance.secrets / f"{name}.url" for name in texts}
    for name, path in files.items():
        write_private(path, texts[name] + "\n")
    return files


def common(instance: Instance, admin: int) -> dict[str, str]:
    return {
        "WEIR_CELL": "0",
        "WEIR_KAFKA": instance.address("kafka"),
        "WEIR_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "WEIR_LOG_LEVEL": os.environ.get("WEIR_LOG_LEVEL", "info"),
    }


def twin(program: str, index: int) -> str:
    """The name of the first, second ... process of one program: api, api-2."""
    return program if index == 0 else f"{program}-{index + 1}"


def internal(instance: Instance, apis: int) -> list[str]:
    """Where gateways and workers find the apis."""
    return [instance.address(f"{twin('api', index)}-internal") for index in range(apis)]


def api(instance: Instance, index: int = 0) -> Daemon:
    files = url_files(instance)
    secrets = instance.secrets
    name = twin("api", index)
    ports = {each: instance.port(each) for each in (name, f"{name}-internal", f"{name}-admin")}
    env = {
        **common(instance, ports[f"{name}-admin"]),
        "WEIR_API_LISTEN": instance.address(name),
        "WEIR_INTERNAL_LISTEN": instance.address(f"{name}-internal"),
        "WEIR_POSTGRES_FILE": str(files["postgres-api"]),
        "WEIR_REDIS_FILE": str(files["redis-api"]),
        "WEIR_JWKS": str(secrets / "jwks.json"),
        "WEIR_JWT_ISSUER": ISSUER,
        "WEIR_JWT_AUDIENCE": AUDIENCE,
        "WEIR_TICKET_KEY_FILE": str(secrets / "ticket-key.pem"),
        "WEIR_SEAL_PUBLIC_KEY_FILE": str(secrets / "seal.pub"),
        "WEIR_SOURCE_SIGN_KEY_FILE": str(secrets / "source-sign.key"),
        "WEIR_REWRAP_SECRET_FILE": str(secrets / "rewrap-secret"),
        "WEIR_WORKER_SECRET_FILE": str(secrets / "worker-secret"),
        "WEIR_GATEWAY_SECRET_FILE": str(secrets / "gateway-secret"),
        "WEIR_ORIGIN_SECRET_FILE": str(secrets / "origin-secret"),
        "WEIR_GATEWAY_URL": f"http://{instance.address('gateway')}",
        # The test cameras are on loopback, a developer's own ones in the house.
        "WEIR_SOURCE_ALLOW_LOCAL": "true",
        "WEIR_TENANT_CAMERA_NETWORKS": "public,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        # Tests and benchmarks are one user who watches everything, again and again.
        "WEIR_TICKETS_VIEWER_MAX": "50000",
        "WEIR_PLAYBACKS_VIEWER_MAX": "5000",
    }
    return Daemon(name, "weir-api", (), env, ports)


def scheduler(instance: Instance, index: int = 0) -> Daemon:
    name = twin("scheduler", index)
    ports = {f"{name}-admin": instance.port(f"{name}-admin")}
    env = {
        **common(instance, ports[f"{name}-admin"]),
        "WEIR_REDIS_FILE": str(url_files(instance)["redis-scheduler"]),
        # All of a development machine is busy with other things; its workers must not look full.
        "WEIR_CEILING_PPM": "20000000",
        "WEIR_WARM_CEILING_PPM": "20000000",
        "WEIR_SESSION_TIMEOUT_MS": "3000",
    }
    return Daemon(name, "weir-scheduler", (), env, ports)


def reaper(instance: Instance, index: int = 0) -> Daemon:
    name = twin("reaper", index)
    admin = instance.port(f"{name}-admin")
    return Daemon(name, "weir-reaper", (), common(instance, admin), {f"{name}-admin": admin})


def audit(instance: Instance) -> Daemon:
    ports = {"audit-admin": instance.port("audit-admin")}
    env = {
        **common(instance, ports["audit-admin"]),
        "WEIR_POSTGRES_FILE": str(url_files(instance)["postgres-audit"]),
    }
    return Daemon("audit", "weir-audit", (), env, ports)


def tally(instance: Instance, apis: int = 1) -> Daemon:
    """Beside the gateway."""
    admin, secrets = instance.port("tally-admin"), instance.secrets
    env = {
        "WEIR_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "WEIR_LOG_LEVEL": os.environ.get("WEIR_LOG_LEVEL", "info"),
        "WEIR_TALLY_LISTEN": instance.address("tally"),
        "WEIR_API_INTERNAL_URL": ",".join(f"http://{at}" for at in internal(instance, apis)),
        "WEIR_GATEWAY_SECRET_FILE": str(secrets / "gateway-secret"),
        "WEIR_TALLY_SECRET_FILE": str(secrets / "tally-secret"),
    }
    return Daemon("tally", "weir-tally", (), env, {"tally-admin": admin})


def worker_id(index: int) -> str:
    return str(uuid.uuid5(NAMESPACE, f"worker|{index}"))


def worker(instance: Instance, index: int, engine: Path, apis: int = 1) -> Daemon:
    name = f"worker-{index}"
    origin, admin = instance.origin_port(index), instance.worker_admin_port(index)
    secrets = instance.secrets
    env = {
        **common(instance, admin),
        "WEIR_WORKER_ID": worker_id(index),
        "WEIR_ORIGIN_LISTEN": f"127.0.0.1:{origin}",
        "WEIR_ORIGIN_URL": f"http://127.0.0.1:{origin}",
        "WEIR_API_INTERNAL_URL": ",".join(f"http://{at}" for at in internal(instance, apis)),
        "WEIR_WORKER_SECRET_FILE": str(secrets / "worker-secret"),
        "WEIR_SEAL_PRIVATE_KEY_FILE": str(secrets / "seal.key"),
        "WEIR_REDIS_FILE": str(url_files(instance)["redis-worker"]),
        "WEIR_SOURCE_PUBLIC_KEYS_FILE": str(secrets / "source-sign.pub"),
        "WEIR_ORIGIN_SECRET_FILE": str(secrets / "origin-secret"),
        "WEIR_RUN_DIR": str(instance.run / name),
        "WEIR_SEGMENT_DIR": str(instance.segments / name),
        "WEIR_MEDIAMTX": str(engine),
        "WEIR_TAP": str(build.binary("weir-tap")),
        "WEIR_ORIGIN": str(build.binary("weir-origin")),
        "WEIR_STILL": str(build.binary("weir-still")),
        "WEIR_DECODE": str(build.binary("weir-decode")),
        "WEIR_XCODE": str(build.binary("weir-xcode")),
        # What a development machine lacks, the builds and tests on it took.
        "WEIR_THIN_AT_PCT": "0",
        "WEIR_XCODE_FFMPEG": str(build.binary("weir-xcode-ffmpeg")),
        "WEIR_ENCPROBE": str(build.binary("weir-encprobe")),
        "WEIR_SOURCE_ALLOW_LOCAL": "true",
    }
    ports = {f"{name}-origin": origin, f"{name}-admin": admin}
    return Daemon(name, "weir-worker", ("--worker-id", worker_id(index)), env, ports)


def start(instance: Instance, daemon: Daemon) -> bool:
    """Starts a daemon that does not run, and waits until it is ready. True when it started one."""
    with Step(f"weir-{daemon.name}") as step:
        step.note = ", ".join(f"{name} {port}" for name, port in daemon.ports.items())
        process = keeper.running(instance, daemon.name)
        if process is not None:
            if process.program_was_replaced():
                step.note += "  (an older build; `./dev down` and `up` to run the new one)"
            return False
        require_free(**daemon.ports)
        text = "".join(f"{name}={value}\n" for name, value in daemon.env.items())
        write_private(instance.env / f"{daemon.name}.env", text)
        for folder in ("WEIR_RUN_DIR", "WEIR_SEGMENT_DIR"):
            if folder in daemon.env:
                make_private(Path(daemon.env[folder]))
        program = build.binary(daemon.program)
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        argv = [str(program), *daemon.arguments]
        keeper.start(
            instance,
            daemon.name,
            argv,
            env={**inherited, **daemon.env},
            overrides=local_settings(instance, daemon),
        )
        keeper.wait_ready(
            instance, daemon.name, lambda: is_ready(instance, daemon), READY_TIMEOUT_S
        )
        return True


def local_settings(instance: Instance, daemon: Daemon) -> list[Path]:
    """What the developer wants otherwise, NAME=value a line: `$WEIR_HOME/local/weir-worker.env` for
    all workers, `worker-1.env` over it for one. They count from a daemon's next start on."""
    folder = instance.home / "local"
    return [folder / f"{daemon.program}.env", folder / f"{daemon.name}.env"]


# A daemon gets its settings from its env file; of the developer's own environment only these pass.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS")


def is_ready(instance: Instance, daemon: Daemon) -> bool:
    """Its own process listens on the admin port, and answers there that it is ready."""
    process = keeper.running(instance, daemon.name)
    if process is None or not held_by(daemon.admin, keeper.session_members(process.pid)):
        return False
    return rest.is_ready(f"127.0.0.1:{daemon.admin}")


def prepare_stores(instance: Instance) -> None:
    """Tables and topics: both commands of weirctl may run any number of times."""
    with Step("tables and topics"):
        log = instance.log_of("setup")
        weirctl = str(build.binary("weirctl"))
        env = {
            "WEIR_POSTGRES_FILE": str(url_files(instance)["postgres-owner"]),
            "WEIR_KAFKA": instance.address("kafka"),
            "WEIR_CELL": "0",
            "WEIR_TIMEOUT_MS": "60000",
        }
        run_logged([weirctl, "migrate"], log, env=env, cwd=ROOT)
        run_logged([weirctl, "topics"], log, env=env, cwd=ROOT)


def stop(instance: Instance, name: str) -> bool:
    """A worker gets time to end its children; the others end at once."""
    return keeper.stop(instance, name, timeout_s=20 if name.startswith("worker-") else 12)


def must_run(instance: Instance, name: str) -> None:
    if not keeper.running(instance, name):
        raise DevError(f"{name} is not running; `./dev up` starts it", instance.log_of(name))


def secret(instance: Instance, name: str) -> str:
    return keys.read(instance, name)
