# SPDX-License-Identifier: Apache-2.0
"""The command line of `./dev`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from dev import instance as instances
from dev import keeper, keys, packages, services
from dev.instance import Instance
from dev.ui import DevError, Step, report, say, together

INFRA = ("kafka", "postgres", "redis")


def infra_up(instance: Instance) -> None:
    instance.create()
    setup_log = instance.log_of("setup")
    packages.ensure(["run"], setup_log)
    keys.ensure(instance)
    together(
        lambda: services.start_kafka(instance, setup_log),
        lambda: services.start_postgres(instance, setup_log),
        lambda: services.start_redis(instance),
    )


def stop_names(instance: Instance, wanted: Sequence[str]) -> None:
    def stop(name: str) -> None:
        with Step(f"stop {name}") as step:
            step.note = "" if services.stop(instance, name) else "was not running"

    together(*[lambda name=name: stop(name) for name in wanted])


def command_infra(options: argparse.Namespace) -> int:
    instance = instances.current()
    with instance.locked():
        if options.what == "up":
            infra_up(instance)
            for line in environment(instance):
                say(line)
        else:
            stop_names(instance, [name for name in INFRA if keeper.find(instance, name)])
    return 0


def environment(instance: Instance) -> list[str]:
    return [
        f"WEIR_KAFKA={instance.address('kafka')}",
        f"WEIR_REDIS={services.redis_url(instance)}",
        f"WEIR_POSTGRES={services.postgres_url(instance, 'postgres')}",
        f"WEIR_POSTGRES_OWNER={services.postgres_url(instance, 'weir_owner')}",
        f"WEIR_POSTGRES_API={services.postgres_url(instance, 'weir_api')}",
        f"WEIR_POSTGRES_AUDIT={services.postgres_url(instance, 'weir_audit')}",
        f"WEIR_SECRETS_DIR={instance.secrets}",
    ]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="./dev")
    commands = top.add_subparsers(dest="command", required=True)
    infra = commands.add_parser("infra")
    infra.add_argument("what", choices=["up", "down"])
    infra.set_defaults(run=command_infra)
    return top


def main(argv: Sequence[str]) -> int:
    options = parser().parse_args(argv)
    try:
        return int(options.run(options))
    except DevError as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        return 130
