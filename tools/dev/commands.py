# SPDX-License-Identifier: Apache-2.0
"""What each command of `./dev` does."""

from __future__ import annotations

import argparse
import os
import signal
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev import (
    benching,
    build,
    cameras,
    daemons,
    demo,
    engine_build,
    gateway,
    keeper,
    keys,
    packages,
    rest,
    rotation,
    services,
    testing,
    tokens,
    watcher,
)
from dev import instance as instances
from dev.instance import PORTS, Instance
from dev.ports import held_by
from dev.ui import DevError, Step, complain, say, together

INFRA = ("kafka", "postgres", "redis")

# Viewers' side first, so that what stops last has nobody left who needs it.
STOP_ORDER = ("camera-", "gateway", "tally", "reaper", "api", "worker-", "scheduler", "audit")


def start_infra(instance: Instance) -> None:
    setup_log = instance.log_of("setup")
    together(
        lambda: services.start_kafka(instance, setup_log),
        lambda: services.start_postgres(instance, setup_log),
        lambda: services.start_redis(instance),
    )


def up(options: argparse.Namespace) -> int:
    instance = instances.current()
    with instance.locked():
        say(f"weir: {instance.home}, ports from {instance.base}")
        instance.create()
        packages.ensure(["build", "run", "camera"], instance.log_of("setup"))
        keys.ensure(instance)
        # What starts here is waited for; nobody else may start it meanwhile.
        keeper.stop(instance, watcher.NAME)
        before = running_pids(instance)
        engine = build_everything(instance)
        daemons.prepare_stores(instance)
        start_daemons(instance, wanted_numbers(instance, options), engine)
        is_new = running_pids(instance) != before
        if not options.no_restart:
            watcher.start(instance)
        made = None if options.no_demo else demo.run(instance, watch_it=is_new)
    demo.print_where(instance, made)
    return 0


def running_pids(instance: Instance) -> set[int]:
    found = (keeper.running(instance, name) for name in keeper.names(instance))
    return {process.pid for process in found if process is not None}


def build_everything(instance: Instance) -> Path:
    """Weir and the engine are built while Kafka, Postgres and Redis start. The engine's path."""
    found: list[Path] = []

    def engine() -> None:
        with Step("engine (MediaMTX)"):
            found.append(engine_build.engine(instance.log_of("setup-engine")))

    together(
        lambda: start_infra(instance),
        engine,
        lambda: build.compile_daemons(instance.log_of("setup-build")),
    )
    return found[0]


# How many of each `./dev up` runs when nothing is said: what dies is not noticed.
NUMBERS = {"worker": 1, "scheduler": 2, "api": 2, "reaper": 1}


def wanted_numbers(instance: Instance, options: argparse.Namespace) -> dict[str, int]:
    """How many of each program: as asked, else as many as there are, else the usual."""
    asked = {program: getattr(options, f"{program}s") for program in NUMBERS}
    return {
        program: number if number is not None else there(instance, program) or NUMBERS[program]
        for program, number in asked.items()
    }


def there(instance: Instance, program: str) -> int:
    return len([name for name in keeper.names(instance) if is_one_of(program, name)])


def is_one_of(program: str, name: str) -> bool:
    """Whether `api-2` is one of `api`, `worker-0` one of `worker`."""
    kind, _, number = name.partition("-")
    return kind == program and (not number or number.isdigit())


def start_daemons(instance: Instance, numbers: Mapping[str, int], engine: Path) -> None:
    apis = numbers["api"]
    wanted = [
        *(daemons.api(instance, index) for index in range(apis)),
        *(daemons.scheduler(instance, index) for index in range(numbers["scheduler"])),
        *(daemons.reaper(instance, index) for index in range(numbers["reaper"])),
        *(daemons.worker(instance, index, engine, apis) for index in range(numbers["worker"])),
        daemons.audit(instance),
        daemons.tally(instance, apis),
    ]
    starts = [daemon_start(instance, daemon) for daemon in wanted]
    together(*starts, lambda: gateway.start(instance, apis))
    kept = {daemon.name for daemon in wanted}
    stop_all(
        instance,
        [
            name
            for name in keeper.names(instance)
            if name not in kept and any(is_one_of(program, name) for program in numbers)
        ],
    )


def daemon_start(instance: Instance, daemon: daemons.Daemon) -> Callable[[], bool]:
    return lambda: daemons.start(instance, daemon)


def stop_all(instance: Instance, names: Sequence[str]) -> None:
    def stop(name: str) -> None:
        with Step(f"stop {name}") as step:
            ended = (services if name in INFRA else daemons).stop(instance, name)
            step.note = "" if ended else "was not running"

    together(*[lambda name=name: stop(name) for name in names])


def down(options: argparse.Namespace) -> int:
    instance = instances.current()
    if not instance.exists():
        say(f"nothing was ever started in {instance.home}")
        return 0
    with instance.locked():
        keeper.stop(instance, watcher.NAME)
        for prefix in STOP_ORDER:
            stop_all(instance, [n for n in keeper.names(instance) if n.startswith(prefix)])
        stop_all(instance, keeper.names(instance))
        if options.wipe:
            with Step(f"delete {instance.home}"):
                instance.wipe()
    return 0


def infra(options: argparse.Namespace) -> int:
    instance = instances.current()
    with instance.locked():
        if options.what == "up":
            instance.create()
            packages.ensure(["run"], instance.log_of("setup"))
            keys.ensure(instance)
            start_infra(instance)
            daemons.url_files(instance)
            for line in environment(instance):
                say(line)
        else:
            stop_all(instance, [name for name in INFRA if keeper.find(instance, name)])
    return 0


def ports_of(instance: Instance, name: str) -> list[int]:
    kind, _, part = name.partition("-")
    if kind == "worker":
        return [instance.origin_port(int(part)), instance.worker_admin_port(int(part))]
    if kind == "camera":
        camera = cameras.load(instance, part)
        return [camera.port] if camera else []
    if kind == "api":
        return [instance.port(each) for each in (name, f"{name}-internal", f"{name}-admin")]
    names = {
        "kafka": ("kafka", "kafka-controller"),
    }.get(name, (name,) if name in ("gateway", "postgres", "redis") else (f"{name}-admin",))
    return [instance.port(each) for each in names if each in PORTS]


def health_of(instance: Instance, name: str) -> str:
    record = keeper.load(instance, name)
    if record is None or not record.process.alive():
        return "DEAD" if record is None or record.wanted else "stopped"
    process = record.process
    if name == watcher.NAME:
        return "up"
    ports = ports_of(instance, name)
    members = keeper.session_members(process.pid)
    if name in INFRA or name == "gateway" or name.startswith("camera-"):
        return "up" if ports and held_by(ports[0], members) else "not listening"
    if not held_by(ports[-1], members):
        return "not listening"
    ready = rest.is_ready(f"127.0.0.1:{ports[-1]}")
    return "ready" if ready else "not ready"


def status(_: argparse.Namespace) -> int:
    """Exit code 0 when everything that was started runs and is well."""
    instance = instances.current()
    names = keeper.names(instance) if instance.exists() else []
    if not names:
        say(f"nothing runs in {instance.home}")
        return 1
    say(f"{'NAME':<18} {'PID':>8}  {'HEALTH':<14} {'RSS':>9} {'RESTARTS':>9}  PORTS")
    well = True
    for name in names:
        record = keeper.load(instance, name)
        process = keeper.running(instance, name)
        health = health_of(instance, name)
        well = well and health in ("up", "ready")
        pid = str(process.pid) if process else "-"
        rss = f"{process.rss_bytes() / 2**20:.1f} MB" if process else "-"
        ports = " ".join(str(port) for port in ports_of(instance, name))
        restarts = record.restarts if record else 0
        say(f"{name:<18} {pid:>8}  {health:<14} {rss:>9} {restarts:>9}  {ports}")
    return 0 if well else 1


def stop_one(options: argparse.Namespace) -> int:
    """Stops a process on purpose: it stays so until `start` or `up`."""
    instance = instances.current()
    must_be_known(instance, options.name)
    with Step(f"stop {options.name}"):
        keeper.stop(
            instance,
            options.name,
            how=services.STOP_HOW.get(options.name, signal.SIGTERM),
            timeout_s=20,
            forget=False,
        )
    return 0


def start_one(options: argparse.Namespace) -> int:
    """Starts a process as it was started last, with what local/*.env says by now."""
    instance = instances.current()
    must_be_known(instance, options.name)
    with Step(f"start {options.name}") as step:
        if keeper.start_again(instance, options.name, counted=False) is None:
            step.note = "was running"
        keeper.wait_ready(
            instance,
            options.name,
            lambda: health_of(instance, options.name) in ("up", "ready"),
            daemons.READY_TIMEOUT_S,
        )
    return 0


def rotate_seal_key(_: argparse.Namespace) -> int:
    """New keys for camera credentials; nobody who watches notices."""
    instance = instances.current()
    must_be_known(instance, "api")
    with instance.locked():
        keys.ensure(instance)
        rotation.rotate(instance)
    return 0


def must_be_known(instance: Instance, name: str) -> None:
    known = keeper.names(instance) if instance.exists() else []
    if name not in known:
        raise DevError(f"there is no {name!r}; there are: {', '.join(known)}")


def logs(options: argparse.Namespace) -> int:
    instance = instances.current()
    found = {str(p.relative_to(instance.log))[:-4]: p for p in instance.log.rglob("*.log")}
    if options.name is None:
        for name in sorted(found):
            say(name)
        return 0
    if options.name not in found:
        raise DevError(f"no log {options.name!r}; there are: {', '.join(sorted(found))}")
    path = str(found[options.name])
    argv = ["tail", "-n", "100", "-F", path] if options.follow else ["cat", path]
    os.execvp(argv[0], argv)


def token(options: argparse.Namespace) -> int:
    instance = instances.current()
    if not (instance.secrets / "jwt-key.pem").is_file():
        raise DevError(f"{instance.home} has no keys yet; `./dev up` makes them")
    if options.sub is not None:
        try:
            options.sub = str(uuid.UUID(options.sub))
        except ValueError as error:
            raise DevError(f"--sub {options.sub!r} is no UUID") from error
    if options.role != "platform" and keeper.running(instance, "api"):
        try:
            demo.ensure_tenant(instance, options.tenant)
        except DevError as error:
            complain(f"note: {error}")
    say(
        tokens.mint(
            instance, options.tenant, role=options.role, sub=options.sub, ttl_s=options.ttl
        )
    )
    return 0


def environment(instance: Instance) -> list[str]:
    return [
        f"WEIR_API_URL={demo.api_url(instance)}",
        f"WEIR_GATEWAY_URL=http://{instance.address('gateway')}",
        f"WEIR_REGION_URL=http://{instance.address('gateway-origin')}",
        f"WEIR_KAFKA={instance.address('kafka')}",
        f"WEIR_REDIS={services.redis_url(instance)}",
        f"WEIR_POSTGRES={services.postgres_url(instance, 'postgres')}",
        f"WEIR_POSTGRES_OWNER={services.postgres_url(instance, 'weir_owner')}",
        f"WEIR_POSTGRES_API={services.postgres_url(instance, 'weir_api')}",
        f"WEIR_POSTGRES_AUDIT={services.postgres_url(instance, 'weir_audit')}",
        f"WEIR_HOME={instance.home}",
        f"WEIR_PORT_BASE={instance.base}",
        f"WEIR_SECRETS_DIR={instance.secrets}",
        f"WEIR_JWT_ISSUER={tokens.ISSUER}",
    ]


def env(_: argparse.Namespace) -> int:
    instance = instances.current()
    if not (instance.secrets / "redis-password").is_file():
        raise DevError(f"{instance.home} has no keys yet; `./dev up` makes them")
    for line in environment(instance):
        say(line)
    return 0


def camera_add(options: argparse.Namespace) -> int:
    instance = instances.current()
    if (options.user is None) != (options.password is None):
        raise DevError("--user and --password go together")
    wanted = vars(options)
    if options.gop is not None:
        if not 0 < options.gop <= 10:
            raise DevError(f"--gop is {options.gop:g}: seconds between keyframes, at most 10")
        wanted["gop"] = max(1, round(options.gop * options.fps))
    with instance.locked():
        instance.create()
        log = instance.log_of("setup")
        packages.ensure(["build", "camera"], log)
        if not build.binary("weir-testcamera").exists():
            build.compile_preset("release", log, ("weir-testcamera",))
        camera = cameras.start(
            instance, options.name, wanted, password=options.password, fault=options.fault
        )
    say(camera.url)
    return 0


def camera_fault(options: argparse.Namespace) -> int:
    instance = instances.current()
    if cameras.load(instance, options.name) is None:
        raise DevError(f"there is no camera {options.name!r}; `./dev camera list` shows them")
    cameras.set_fault(instance, options.name, options.fault)
    return 0


def camera_kill(options: argparse.Namespace) -> int:
    instance = instances.current()
    with instance.locked():
        cameras.kill(instance, options.name)
    return 0


def camera_list(_: argparse.Namespace) -> int:
    instance = instances.current()
    for camera in cameras.every(instance):
        state = "up" if keeper.running(instance, camera.process) else "DEAD"
        extra = " ".join(f"{key}={value}" for key, value in camera.options.items())
        fault = cameras.fault_of(instance, camera.name)
        say(f"{camera.name:<16} {state:<5} fault={fault:<10} {camera.url}  {extra}")
    return 0


def test(options: argparse.Namespace) -> int:
    return testing.run(options.group, options.name)


def chaos(options: argparse.Namespace) -> int:
    testing.RESULTS.mkdir(parents=True, exist_ok=True)
    testing.set_up(["chaos"])
    wanted = {"minutes": options.minutes, "seed": options.seed, "out": options.out}
    given = [(name, value) for name, value in wanted.items() if value is not None]
    return testing.chaos([text for name, value in given for text in (f"--{name}", str(value))])


def bench(options: argparse.Namespace) -> int:
    return benching.run(options.id, options.write_doc)


def check(_: argparse.Namespace) -> int:
    return testing.check()
