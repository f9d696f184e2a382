# SPDX-License-Identifier: Apache-2.0
"""A chaos run from `up` to the verdict: `./dev chaos --minutes N --seed S`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos import clients, collect, history, plan
from chaos.clients import Access, Caller, Screen, Viewer, Zapper
from chaos.faults import Breaker, remove_dead_mounts
from chaos.history import History
from dev import cameras, demo, keeper, rest, tokens
from dev.instance import ROOT, Instance, make_private
from dev.ports import listeners
from dev.ui import DevError, say
from faults import processes

TENANT = "chaos"
CAMERA = {"size": "320x180", "fps": 5, "gop": 5, "bitrate": 100}
PER_CAMERA = 4
VIEWERS = 10
ZAPPERS = 4
FIRST_BASE, LAST_BASE = 30000, 32500
# The limits of "everything plays again": a back-off ends after 60 s with some jitter.
WELL_S = 120.0
RUNNING_S = 150.0
MOVING_S = 45.0
STOPPED_S = 60.0
LINGER_S = 14.0
SURPLUS_S = 90.0
UP = ("--workers", "3", "--schedulers", "2", "--apis", "2", "--reapers", "2", "--no-demo")
IDLE_S = "10"


@dataclass
class Run:
    instance: Instance
    folder: Path
    seed: int
    history: History
    until: threading.Event = field(default_factory=threading.Event)
    no_more_zaps: threading.Event = field(default_factory=threading.Event)
    cameras: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        base = str(self.instance.base)
        return {**os.environ, "WEIR_HOME": str(self.instance.home), "WEIR_PORT_BASE": base}

    def dev(self, *args: str) -> None:
        log = self.folder / "dev.log"
        with log.open("ab") as output:
            argv = [str(ROOT / "dev"), *args]
            done = subprocess.run(
                argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        if done.returncode != 0:
            raise DevError(f"./dev {' '.join(args)} failed", log)

    def access(self) -> Access:
        token = tokens.mint(self.instance, TENANT, role="admin", ttl_s=86400)
        apis = [f"http://{self.instance.address(name)}" for name in ("api", "api-2")]
        return Access(apis, token, tokens.tenant_id(TENANT))

    def caller(self, name: str) -> Caller:
        seed = random.Random(f"{self.seed} {name}").getrandbits(32)
        return Caller(name, self.access(), self.history, seed)


# ---- before ----


def free_base() -> int:
    taken = set(listeners())
    for base in range(FIRST_BASE, LAST_BASE, 100):
        if not taken & set(range(base, base + 100)):
            return base
    raise DevError(f"no 100 free ports from {FIRST_BASE} on")


@contextlib.contextmanager
def own_instance(folder: Path, seed: int) -> Iterator[Run]:
    """An instance that nobody else uses, and nothing of it afterwards but the evidence."""
    home = Path(os.environ.get("WEIR_HOME") or tempfile.mkdtemp(prefix="weir-chaos-"))
    base = int(os.environ.get("WEIR_PORT_BASE") or free_base())
    if Instance(home, base).exists():
        raise DevError(f"{home} holds an instance; chaos wants a WEIR_HOME of its own (or none)")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run = Run(Instance(home, base), folder, seed, History(folder / "history.jsonl"))
    try:
        yield run
    finally:
        run.until.set()
        run.no_more_zaps.set()
        with contextlib.suppress(DevError):
            run.dev("down")
        keep_logs(run)
        run.history.close()
        remove_dead_mounts(run.instance.segments)
        with contextlib.suppress(DevError):
            run.dev("down", "--wipe")
        shutil.rmtree(home, ignore_errors=True)


def keep_logs(run: Run) -> None:
    if run.instance.log.is_dir():
        shutil.copytree(run.instance.log, run.folder / "log", dirs_exist_ok=True)


def prepare(run: Run) -> Breaker:
    """Links, clocks and disks come before `up`: daemons learn of them by their settings."""
    run.instance.create()
    local = run.instance.home / "local"
    make_private(local)
    (local / "weir-reaper.env").write_text(f"WEIR_IDLE_TIMEOUT_S={IDLE_S}\n")
    return Breaker(run.instance, run.history)


def bring_up(run: Run) -> None:
    say("  starting 3 workers, 2 schedulers, 2 apis, 2 reapers, 20 cameras")
    run.dev("up", *UP)
    for name in plan.CAMERAS:
        cameras.start(run.instance, name, CAMERA)
    demo.ensure_tenant(run.instance, TENANT)
    caller = run.caller("setup")
    for index in range(PER_CAMERA * len(plan.CAMERAS)):
        source = cameras.load(run.instance, plan.CAMERAS[index // PER_CAMERA])
        assert source is not None
        name = f"{source.name}-{index % PER_CAMERA}"
        body = {"name": name, "source": {"url": source.url, "transport": "tcp"}}
        made = caller.ask("POST", "/v1/cameras", body)
        if made.status != 201:
            raise DevError(f"the camera {name} is not accepted: {made.problem()}")
        run.cameras[name] = str(made.json()["id"])


# ---- the run ----


def begin_clients(run: Run) -> tuple[list[Viewer], list[Zapper]]:
    names = list(run.cameras)
    steady, others = names[::2][:VIEWERS], names[1::2]
    viewers = [
        Viewer(run.caller(f"viewer-{name}"), run.cameras[name], run.until) for name in steady
    ]
    zappers = [
        Zapper(run.caller(f"zapper-{n}"), [run.cameras[name] for name in others], run.no_more_zaps)
        for n in range(ZAPPERS)
    ]
    for client in (*viewers, *zappers):
        client.start()
    return viewers, zappers


def break_things(run: Run, breaker: Breaker, faults: Sequence[plan.Fault]) -> None:
    for fault in faults:
        run.history.add("planned", **fault.as_json())
    last_said = 0.0

    def told(fault: plan.Fault) -> None:
        nonlocal last_said
        if fault.at_s - last_said >= 20:
            last_said = fault.at_s
            say(f"  {fault.at_s:5.0f} s  {fault.n} faults")

    breaker.run(faults, told)
    say("  healing")
    breaker.heal()
    run.history.add("note", text="healed")


def unwell(run: Run) -> list[str]:
    """Processes that do not run, and daemons that do not say that they are ready."""
    dead = [
        name
        for name in keeper.names(run.instance)
        if keeper.running(run.instance, name) is None
    ]
    return dead + [
        name
        for name in plan.DAEMONS
        if name not in dead and not rest.is_ready(f"127.0.0.1:{admin_port(run.instance, name)}")
    ]


def admin_port(instance: Instance, name: str) -> int:
    if name.startswith("worker-"):
        return instance.worker_admin_port(int(name.removeprefix("worker-")))
    return instance.port(f"{name}-admin")


# ---- after ----


def want_everything(run: Run, until: threading.Event) -> list[dict[str, Any]]:
    """Asks for every camera and looks whether it plays; a line a camera for the checker."""
    rows: list[dict[str, Any]] = []
    lock = threading.Lock()

    def one(name: str, camera_id: str) -> None:
        row = judge_camera(run, name, camera_id, until)
        with lock:
            rows.append(row)

    threads = [threading.Thread(target=one, args=item) for item in run.cameras.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(rows, key=lambda row: str(row["camera"]))


def judge_camera(run: Run, name: str, camera_id: str, until: threading.Event) -> dict[str, Any]:
    caller = run.caller(f"end-{name}")
    since = time.monotonic()
    row: dict[str, Any] = {"camera": name, "stream": None, "state": None, "reason": None}
    row.update(running_after_s=None, moved_after_s=None)
    while time.monotonic() - since < RUNNING_S and row["running_after_s"] is None:
        stream_id = caller.start(camera_id, until)
        row["stream"] = stream_id
        answer = caller.ask("GET", f"/v1/streams/{stream_id}") if stream_id else None
        if answer is not None and answer.status == 200:
            row["state"], row["reason"] = answer.json()["state"], answer.json().get("reason")
            if row["state"] == "running":
                row["running_after_s"] = round(time.monotonic() - since, 1)
        time.sleep(0.5)
    if row["running_after_s"] is not None:
        row["moved_after_s"] = moves(caller, camera_id, row, until)
    return row


def moves(
    caller: Caller, camera_id: str, row: dict[str, Any], until: threading.Event
) -> float | None:
    """Seconds until the playlist moved on twice.

    The camera is asked for each time: a stop that was accepted before may end the stream that ran.
    """
    since = time.monotonic()
    while time.monotonic() - since < MOVING_S:
        stream_id = row["stream"] = caller.start(camera_id, until)
        url = clients.open_stream(caller, stream_id, until) if stream_id else None
        screen = Screen()
        for _ in range(10):
            if stream_id is not None and url is not None:
                clients.watch(caller, screen, stream_id, url, until, 1.0)
            if screen.moves >= 3:
                return round(time.monotonic() - since, 1)
        time.sleep(0.5)
    return None


def stop_everything(run: Run) -> None:
    """No wishes are left: every stream ended and every camera let go of."""
    caller = run.caller("stopper")
    never = threading.Event()

    def is_over() -> bool:
        answer = caller.ask("GET", "/v1/streams?limit=200")
        live = [row for row in answer.json()["items"] if row["state"] not in clients_final()]
        for row in live:
            if row["state"] != "stopping":
                caller.stop(row["id"], never)
        return not live

    if not collect.wait_for(is_over, STOPPED_S):
        run.history.add("note", text="streams do not stop")
    time.sleep(LINGER_S)
    # Empty engines beyond the one that is kept warm go after a while.
    collect.wait_for(lambda: engines(run) <= len(plan.WORKERS), SURPLUS_S)


def engines(run: Run) -> int:
    found = collect.process_list(run.instance).values()
    return sum(row["children"].get("mediamtx", 0) for row in found if row is not None)


def clients_final() -> set[str]:
    return {"stopped", "rejected", "expired", "cancelled", "failed"}


def write_down(run: Run, start: dict[str, Any]) -> None:
    instance, folder = run.instance, run.folder
    end = collect.process_list(instance)
    (folder / "processes.json").write_text(json.dumps({"start": start, "end": end}, indent=1))
    collect.logs_and_views(instance, folder)
    log = history.read(folder / "decisions.jsonl")
    collect.audit(instance, folder, log[-1]["offset"] if log else -1)


def end(run: Run, breaker: Breaker) -> None:
    """Stops all, and looks what is left."""
    below = [
        pid
        for name in keeper.names(run.instance)
        if (process := keeper.running(run.instance, name)) is not None
        for pid in processes.family(process.pid)
    ]
    run.dev("down")
    # Small disks are the run's own; what a worker left on one shows before it goes.
    left = collect.leftovers(run.instance, below)
    breaker.close()
    (run.folder / "leftovers.json").write_text(json.dumps(left, indent=1))


def perform(run: Run, minutes: float) -> None:
    say(f"chaos: seed {run.seed}, {minutes:g} minutes, {run.folder}")
    breaker = prepare(run)
    try:
        faults = plan.draw(run.seed, minutes * 60, breaker.abilities())
        bring_up(run)
        run.history.add("begin", tenant_id=tokens.tenant_id(TENANT), seed=run.seed)
        start = collect.process_list(run.instance)
        viewers, zappers = begin_clients(run)
        time.sleep(3)
        say(f"  {len(faults)} faults are planned")
        break_things(run, breaker, faults)
        collect.wait_for(lambda: not unwell(run), WELL_S)
        for name in unwell(run):
            run.history.add("unwell", process=name)
        # Who zaps also stops streams: none may end while it is asked whether all of them play.
        run.no_more_zaps.set()
        for zapper in zappers:
            zapper.join(60)
        say("  is everything playing?")
        still_on = threading.Event()
        rows = want_everything(run, still_on)
        collect.write_lines(run.folder / "liveness.jsonl", rows)
        run.until.set()
        for viewer in viewers:
            viewer.join(60)
        say("  stopping all streams; writing down what there is")
        stop_everything(run)
        write_down(run, start)
        end(run, breaker)
    finally:
        breaker.close()


# ---- the summary ----


def summarise(folder: Path) -> None:
    lines = history.read(folder / "history.jsonl")
    faults = Counter(str(line["kind"]) for line in lines if line["what"] == "fault")
    say(f"  {sum(faults.values())} faults: " + ", ".join(f"{n} {k}" for k, n in faults.most_common()))
    attempts = Counter(line["what"] for line in lines)
    operations = len({line["op"] for line in lines if line["what"] == "invoke"})
    say(
        f"  {operations} commands in {attempts['invoke']} attempts: {attempts['ok']} ok, "
        f"{attempts['fail']} fail, {attempts['unknown']} unknown"
    )
    frozen = sorted(line["froze_s"] for line in lines if "froze_s" in line)
    seen = attempts["seen"]
    if frozen:
        middle, worst = frozen[len(frozen) // 2], frozen[-1]
        say(
            f"  {seen} new playlists seen; {len(frozen)} freezes above {clients.FREEZE_S:g} s: "
            f"median {middle} s, longest {worst} s"
        )
    else:
        say(f"  {seen} new playlists seen; no freeze above {clients.FREEZE_S:g} s")


def check_apart(folder: Path) -> int:
    """The checker is a program of its own: what it knows, it has from the folder."""
    argv = ["/usr/bin/python3", "-m", "chaos.checker", str(folder)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tools'}:{ROOT / 'tests'}"}
    return subprocess.run(argv, env=environment, check=False).returncode


def run(minutes: float, seed: int, folder: Path) -> int:
    """0 when every invariant holds."""
    began = time.monotonic()
    try:
        with own_instance(folder, seed) as made:
            perform(made, minutes)
    except DevError as error:
        say(f"chaos: the run itself failed: {error}" + (f"  ({error.log})" if error.log else ""))
        return 1
    summarise(folder)
    verdict = check_apart(folder)
    word = "every invariant holds" if verdict == 0 else "VIOLATED"
    say(f"chaos: {word}; seed {seed}, {time.monotonic() - began:.0f} s, history in {folder}")
    if verdict != 0:
        say(f"  again: ./dev chaos --minutes {minutes:g} --seed {seed}")
        say(f"  judge again: PYTHONPATH=tools:tests python3 -m chaos.checker {folder}")
    return verdict


def main() -> int:
    args = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    args.add_argument("--minutes", type=float, default=3.5)
    args.add_argument("--seed", type=int, default=None)
    args.add_argument("--out", type=Path, default=None)
    options = args.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    folder = options.out or ROOT / "build" / "results" / f"chaos-{seed}"
    return run(options.minutes, seed, folder.absolute())


if __name__ == "__main__":
    sys.exit(main())


