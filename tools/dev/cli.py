# SPDX-License-Identifier: Apache-2.0
"""The command line of `./dev`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from dev import cameras, commands, testing
from dev.instance import MAX_TWINS, MAX_WORKERS
from dev.tokens import ROLES
from dev.ui import DevError, report

DESCRIPTION = """\
Sets up, runs and tests a Weir of your own on this machine.

WEIR_HOME is its state folder (.weir), WEIR_PORT_BASE the first of its 100 ports (18000): with
other values, another Weir runs beside it. Not there yet: simulate.
"""


def number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{least} to {most}")
        return int(text)

    return parse


def add_camera_command(commands_of: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    camera = commands_of.add_parser("camera", help="test cameras with fault switches")
    verbs = camera.add_subparsers(dest="verb", required=True, metavar="add|fault|kill|list")
    add = verbs.add_parser("add", help="start one; prints its RTSP URL")
    add.add_argument("name")
    add.add_argument("--codec", choices=["h264", "h265", "mjpeg", "vp8"])
    add.add_argument("--pixels", choices=["plain", "422", "10bit", "interlaced"], help="of H.264")
    add.add_argument("--gop", type=float, metavar="SECONDS", help="between keyframes (1), at most 10")
    add.add_argument("--bframes", type=int, choices=range(5), metavar="0..4")
    add.add_argument("--audio", choices=["none", "aac", "opus", "pcma", "pcmu", "l16"])
    add.add_argument("--size", metavar="WxH", help="640x360; the width a multiple of 40")
    add.add_argument("--fps", type=int, default=15, metavar="N")
    add.add_argument("--bitrate", type=int, metavar="KBIT", help="kbit/s (600)")
    add.add_argument("--picture", choices=["ball", "room"], help="what it shows (ball)")
    add.add_argument("--path", metavar="PATH", help="mount point (/cam)")
    add.add_argument("--user", help="digest authentication; with --password")
    add.add_argument("--password")
    add.add_argument("--redirect", metavar="URL", help="where the fault `redirect` points")
    add.add_argument("--fault", choices=cameras.FAULTS, default="none")
    add.set_defaults(run=commands.camera_add)
    fault = verbs.add_parser("fault", help="what is wrong with a running one")
    fault.add_argument("name")
    fault.add_argument("fault", choices=cameras.FAULTS)
    fault.set_defaults(run=commands.camera_fault)
    kill = verbs.add_parser("kill", help="end one without a goodbye, and forget it")
    kill.add_argument("name")
    kill.set_defaults(run=commands.camera_kill)
    verbs.add_parser("list", help="name, state, fault, URL").set_defaults(run=commands.camera_list)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="./dev",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands_of = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands_of.add_parser("up", help="set up what is missing, build, start, show a demo")
    workers, twins = number(0, MAX_WORKERS), number(1, MAX_TWINS)
    up.add_argument("--workers", type=workers, metavar="N", help="how many workers run (1)")
    up.add_argument("--schedulers", type=twins, metavar="N", help="one leads, one stands by (2)")
    up.add_argument("--apis", type=twins, metavar="N", help="how many apis run (2)")
    up.add_argument("--reapers", type=twins, metavar="N", help="how many reapers run (1)")
    up.add_argument("--no-restart", action="store_true", help="what dies stays dead")
    up.add_argument("--no-demo", action="store_true", help="no demo tenant, camera and stream")
    up.set_defaults(run=commands.up)
    down = commands_of.add_parser("down", help="stop everything")
    down.add_argument("--wipe", action="store_true", help="delete the state too")
    down.set_defaults(run=commands.down)
    stop = commands_of.add_parser("stop", help="stop one process; it stays so")
    stop.add_argument("name", help="as in `./dev status`")
    stop.set_defaults(run=commands.stop_one)
    start = commands_of.add_parser("start", help="start it again")
    start.add_argument("name", help="as in `./dev status`")
    start.set_defaults(run=commands.start_one)
    rotate = commands_of.add_parser(
        "rotate-seal-key", help="seal camera credentials for a new key, while all runs"
    )
    rotate.set_defaults(run=commands.rotate_seal_key)
    status = commands_of.add_parser("status", help="every process: pid, health, port, RSS")
    status.set_defaults(run=commands.status)
    logs = commands_of.add_parser("logs", help="print a process' log")
    logs.add_argument("name", nargs="?", help="as in `./dev status`; without: the names")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.set_defaults(run=commands.logs)
    token = commands_of.add_parser("token", help="an access token; the last line is the JWT")
    token.add_argument("--tenant", required=True, metavar="NAME")
    token.add_argument("--role", choices=ROLES, default="admin")
    token.add_argument("--sub", metavar="UUID")
    token.add_argument("--ttl", type=int, default=3600, metavar="SECONDS")
    token.set_defaults(run=commands.token)
    add_camera_command(commands_of)
    env = commands_of.add_parser("env", help="addresses and URLs, NAME=value a line")
    env.set_defaults(run=commands.env)
    test = commands_of.add_parser("test", help=f"run tests: {' '.join(testing.GROUPS)}")
    test.add_argument("group", nargs="*", choices=[[], *testing.GROUPS], metavar="GROUP")
    test.add_argument("-k", dest="name", metavar="NAME", help="only tests whose name has this")
    test.set_defaults(run=commands.test)
    chaos = commands_of.add_parser("chaos", help="faults drawn from a seed, then a proof")
    chaos.add_argument("--minutes", type=float, metavar="N", help="how long things break (3.5)")
    chaos.add_argument("--seed", type=int, metavar="S", help="of the plan of faults; else a new one")
    chaos.add_argument("--out", metavar="FOLDER", help="of history and evidence (build/results)")
    chaos.set_defaults(run=commands.chaos)
    check = commands_of.add_parser("check", help="format, layers, headers, analysis")
    check.set_defaults(run=commands.check)
    bench = commands_of.add_parser("bench", help="measure ours against the alternative (bench/)")
    bench.add_argument("id", nargs="?", metavar="ID", help="one of bench/; without: all")
    bench.add_argument("--write-doc", action="store_true",
                       help="put the table into docs/performance.md; without ID only that")  # fmt: skip
    bench.set_defaults(run=commands.bench)
    infra = commands_of.add_parser("infra", help="only Kafka, Postgres and Redis")
    infra.add_argument("what", choices=["up", "down"])
    infra.set_defaults(run=commands.infra)
    commands_of.add_parser("help").set_defaults(run=lambda _: top.print_help())
    return top


def main(argv: Sequence[str]) -> int:
    options = parser().parse_args(argv or ["help"])
    try:
        return int(options.run(options) or 0)
    except DevError as error:
        report(error)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
