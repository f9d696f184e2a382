# SPDX-License-Identifier: Apache-2.0
"""Runs the test groups, counts what ran, and fails a group that ran nothing."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dev import build, engine_build, kafka_jars, node_packages, packages
from dev.beside import Beside
from dev.instance import ROOT
from dev.shell import run_logged
from dev.ui import DevError, Step, complain, report, say, tail, together

GROUPS = (
    "check",
    "unit",
    "scenario",
    "contract",
    "integration",
    "conformance",
    "supabase",
    "chaos",
    "fuzz",
)
PYTHON = "/usr/bin/python3"
FUZZ_SECONDS = 120
CTEST_OUTPUT_BYTES = 1 << 20
# What decides who comes in gets more: access tokens, key sets, tickets.
FUZZ_LONG = ("fuzz_jwt", "fuzz_ticket", "fuzz_token")
FUZZ_LONG_S = 60
# One seed, so that one tree gets one verdict; WEIR_FUZZ_SEED and WEIR_FUZZ_S look further.
FUZZ_SEED = "1"
# One plan of faults for one tree; `./dev chaos` looks further.
CHAOS_MINUTES = 3.5
CHAOS_SEED = 1
RESULTS = ROOT / "build" / "results"
FAILURES_SHOWN = 40
FAILURE_LENGTH = 300
SUPABASE_NEEDS = ("WEIR_SUPABASE_URL", "WEIR_SUPABASE_SERVICE_KEY")
SUPABASE_PATH = ("tools", "tests/integration")


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    # What failed, a line each: said once more at the end, where people look.
    failures: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        self.failures += other.failures
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    @property
    def ran(self) -> int:
        return self.passed + self.failed

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def run(groups: Sequence[str], name: str | None) -> int:
    """Sets up, runs the groups (all without one), prints the counts; the exit code.

    Most groups wait more than they work, so the check, which only works, fills the gaps of the others
    and is told last."""
    wanted = list(groups) or list(GROUPS)
    lacking = [] if has_supabase() else ["supabase"]
    RESULTS.mkdir(parents=True, exist_ok=True)
    set_up([group for group in wanted if group not in lacking])
    total = Count()
    broken = False
    runners = dict(RUNNERS)
    if len(wanted) > 1 and "check" in wanted and name is None:
        checking = Beside([str(ROOT / "tools" / "check")], RESULTS / "check.log")
        atexit.register(checking.end)
        runners["check"] = lambda _: count_checks(checking)
        wanted = [*(group for group in wanted if group != "check"), "check"]
    for group in wanted:
        since = time.monotonic()
        say(f"== {group}")
        try:
            count = runners[group](name)
        except DevError as error:
            report(error)
            count = count_of(False, str(error))
        if count.ran == 0 and name is None and group not in lacking:
            complain(f"{group}: no test ran, which counts as a failure")
            count.add(count_of(False, "no test ran"))
        say(f"{group}: {count}  ({time.monotonic() - since:.0f} s)")
        count.failures = [f"{group}: {failure}" for failure in count.failures]
        total.add(count)
    if total.ran == 0 and (name is not None or not total.skipped):
        complain(f"no test matches {name!r}")
        broken = True
    say()
    for failure in total.failures[:FAILURES_SHOWN]:
        say(f"FAILED  {failure}")
    say(str(total))
    return 1 if total.failed or broken else 0


def set_up(groups: Sequence[str]) -> None:
    log = RESULTS / "setup.log"
    log.unlink(missing_ok=True)
    say("== setup")
    packages.ensure(["build", "run", "camera", "test"], log)

    real = {"integration", "conformance", "chaos", *(["supabase"] if has_supabase() else [])}

    def builds() -> None:
        if {"unit", "scenario", "contract", "integration"} & set(groups):
            build.compile_preset("asan", RESULTS / "build-asan.log")
        if real & set(groups):
            build.compile_preset("release", RESULTS / "build-release.log")
        if "fuzz" in groups:
            build.compile_preset("fuzz", RESULTS / "build-fuzz.log")

    def engine() -> None:
        with Step("engine (MediaMTX)"):
            engine_build.engine(RESULTS / "setup-engine.log")

    def kafka() -> None:
        with Step("Kafka's jars"):
            kafka_log = RESULTS / "setup-kafka.log"
            kafka_jars.template(kafka_jars.libs(kafka_log), kafka_log)

    together(builds, *([engine, kafka] if real & set(groups) else []))
    npm = RESULTS / "npm.log"
    if {"integration", "conformance"} & set(groups):
        node_packages.player(npm)
    if "integration" in groups:
        node_packages.minter(npm)
    if "conformance" in groups:
        node_packages.worker(npm)
    if "supabase" in groups and has_supabase():
        node_packages.supabase(npm)


def run_check(name: str | None) -> Count:
    """`tools/check` is one test here: it prints what it finds."""
    if name is not None and name not in "check":
        return Count()
    done = subprocess.run([str(ROOT / "tools" / "check")], cwd=ROOT, check=False)
    return count_of(done.returncode == 0, "tools/check")


def count_of(passed: bool, name: str) -> Count:
    return Count(passed=1) if passed else Count(failed=1, failures=[name])


def count_checks(checking: Beside) -> Count:
    """The same one test, which began while other groups ran."""
    done = checking.wait()
    for line in checking.log.read_text(errors="replace").splitlines():
        say(f"  {line}")
    return count_of(done == 0, f"tools/check, see {checking.log.relative_to(ROOT)}")


def run_ctest(label: str, name: str | None) -> Count:
    """Counts the single tests inside each program, where it tells (cmocka does)."""
    report_file = RESULTS / f"ctest-{label}.xml"
    report_file.unlink(missing_ok=True)
    argv = ["ctest", "--test-dir", str(build.folder("asan")), "-L", f"^{label}$"]
    # What a program says of its tests is counted, so all of it is kept.
    argv += ["--output-on-failure", "--output-junit", str(report_file)]
    argv += ["--test-output-size-passed", str(CTEST_OUTPUT_BYTES)]
    argv += ["-j", str(os.cpu_count() or 2), "--no-tests=ignore"]
    if name is not None:
        argv += ["-R", re.escape(name)]
    environment = {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        **os.environ,
    }
    done = subprocess.run(argv, cwd=ROOT, env=environment, check=False)
    count = Count()
    if report_file.is_file():
        for case in ElementTree.parse(report_file).getroot().iter("testcase"):
            count.add(count_case(case))
    if done.returncode != 0 and count.failed == 0:
        count.add(count_of(False, f"ctest ended with {done.returncode}"))
    return count


def count_case(case: ElementTree.Element) -> Count:
    output = case.findtext("system-out") or ""
    failed = case.find("failure") is not None or case.get("status") == "fail"

    def told(word: str) -> int:
        return sum(int(n) for n in re.findall(rf"\[  {word}\s*\] (\d+) test", output))

    count = Count(told("PASSED"), told("FAILED"), told("SKIPPED"))
    if case.get("status") in ("disabled", "notrun") or case.find("skipped") is not None:
        return Count(skipped=1)
    if failed and count.failed == 0:
        count.failed = 1
    if count.failed:
        tests = dict.fromkeys(re.findall(r"^\[  FAILED  \] (\w+)$", output, re.MULTILINE))
        count.failures = [f"{case.get('name')} {test}" for test in tests] or [str(case.get("name"))]
    if count.ran + count.skipped == 0:
        count.passed = 1
    return count


def run_integration(name: str | None) -> Count:
    """Most tests wait more than they work, so two files more than there are cores run side by side;
    those marked `alone` (they judge what a viewer sees) have the machine for themselves."""
    lanes = ["-m", "not alone", "-n", str((os.cpu_count() or 2) + 2), "--dist", "loadfile"]
    count = run_pytest("integration", name, *lanes)
    count.add(run_pytest("integration", name, "-m", "alone", part="-alone"))
    return count


def has_supabase() -> bool:
    return all(os.environ.get(name) for name in SUPABASE_NEEDS)


def run_supabase(name: str | None) -> Count:
    """Against a Supabase Auth server that runs somewhere: who has none skips this as one test."""
    if has_supabase():
        integration = {"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in SUPABASE_PATH)}
        return run_pytest("supabase", name, env=integration)
    if name is not None and name not in "supabase":
        return Count()
    say(f"  skipped: it needs a server, told by {' and '.join(SUPABASE_NEEDS)}")
    return Count(skipped=1)


def run_pytest(
    folder: str,
    name: str | None,
    *flags: str,
    part: str = "",
    env: Mapping[str, str] | None = None,
) -> Count:
    place = ROOT / "tests" / folder
    if not any(place.rglob("test_*.py")):
        return Count()
    report_file = RESULTS / f"pytest-{folder}{part}.xml"
    report_file.unlink(missing_ok=True)
    argv = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(place), *flags]
    argv += [f"--junitxml={report_file}"]
    if name is not None:
        argv += ["-k", name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools"), **(env or {})}
    done = subprocess.run(argv, cwd=ROOT, env=environment, check=False)
    count = Count()
    if report_file.is_file():
        for suite in ElementTree.parse(report_file).getroot().iter("testsuite"):
            ran = int(suite.get("tests", 0))
            bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            told = list(map(failure_of, suite.iter("testcase")))
            count.add(Count(max(0, ran - bad - skipped), bad, skipped, [*filter(None, told)]))
    nothing_collected = 5
    if done.returncode not in (0, nothing_collected) and count.failed == 0:
        count.add(count_of(False, f"pytest ended with {done.returncode}"))
    return count


def failure_of(case: ElementTree.Element) -> str:
    """Name and reason of a test that failed; nothing for another."""
    reasons = [*case.iter("failure"), *case.iter("error")]
    if not reasons:
        return ""
    reason = " ".join(str(reasons[0].get("message")).split())
    return f"{case.get('classname')}::{case.get('name')}: {reason}"[:FAILURE_LENGTH]


def run_unit(name: str | None) -> Count:
    """The C units, and the tools of the house (tests/tools)."""
    count = run_ctest("unit", name)
    count.add(run_pytest("tools", name))
    return count


def run_contract(name: str | None) -> Count:
    count = run_ctest("contract", name)
    count.add(run_pytest("contract", name))
    return count


def run_conformance(name: str | None) -> Count:
    """Every front door against one table; prints it as door by case (tests/conformance). What needs
    no Weir runs beside it."""
    lanes = ["-n", "2", "--dist", "loadgroup"]
    return run_pytest(
        "conformance", name, *lanes, env=node_packages.environment(RESULTS / "npm.log")
    )


def run_fuzz(name: str | None) -> Count:
    """Shares the time between all targets, one on each core; a crash or a leak is a failure."""
    programs = sorted(
        path
        for path in (build.folder("fuzz") / "tests" / "fuzz").glob("fuzz_*")
        if path.is_file() and os.access(path, os.X_OK) and (name is None or name in path.name)
    )
    if not programs:
        return Count()
    cores = min(os.cpu_count() or 2, len(programs))
    total_s = int(os.environ.get("WEIR_FUZZ_S", FUZZ_SECONDS))
    each_s = max(1, total_s * cores // len(programs))
    long_s = max(each_s, 0 if "WEIR_FUZZ_S" in os.environ else FUZZ_LONG_S)
    lengths = {program: long_s if program.name in FUZZ_LONG else each_s for program in programs}
    programs.sort(key=lambda program: -lengths[program])
    told = f"{each_s} s each, {long_s} s for {', '.join(FUZZ_LONG)}"
    say(f"  {len(programs)} targets, {told}; {cores} at a time")
    with ThreadPoolExecutor(max_workers=cores) as pool:
        results = list(pool.map(lambda program: fuzz(program, lengths[program]), programs))
    broken = [program.name for program, ok in zip(programs, results, strict=True) if not ok]
    return Count(passed=len(results) - len(broken), failed=len(broken), failures=broken)


def fuzz(program: Path, seconds: int) -> bool:
    """One target: it starts from the committed corpus and keeps what it finds in build/."""
    work = RESULTS / "fuzz" / program.name
    found = work / "corpus"
    found.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "tests" / "fuzz" / "corpus" / program.name.removeprefix("fuzz_")
    log = work / "log"
    argv = [str(program), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048"]
    argv += [f"-seed={os.environ.get('WEIR_FUZZ_SEED', FUZZ_SEED)}"]
    argv += ["-print_final_stats=1", f"-artifact_prefix={work}/", str(found)]
    argv += [str(seeds)] if seeds.is_dir() else []
    with log.open("wb") as output:
        done = subprocess.run(argv, cwd=ROOT, stdout=output, stderr=output, check=False)
    text = "\n".join(tail(log, 60))
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", text)
    ok = done.returncode == 0
    told = f"{int(runs.group(1)):,} runs" if runs else "no statistics"
    say(f"  {'ok ' if ok else 'FAILED'} {program.name}  {told}")
    if not ok:
        for line in tail(log, 30):
            complain(f"    | {line}")
        complain(f"    log: {log}")
    return ok


def run_chaos(name: str | None) -> Count:
    """A short chaos run; each invariant that its checker proved is a test."""
    if name is not None and name not in "chaos":
        return Count()
    folder = RESULTS / "chaos"
    shutil.rmtree(folder, ignore_errors=True)
    wanted = ["--minutes", str(CHAOS_MINUTES), "--seed", str(CHAOS_SEED), "--out", str(folder)]
    chaos(wanted, is_test=True)
    verdict = folder / "verdict.json"
    if not verdict.is_file():
        return count_of(False, f"no verdict, see {folder.relative_to(ROOT)}")
    found = json.loads(verdict.read_text())
    broken = [
        f"{name.replace('_', ' ')}: {violations[0]}"[:FAILURE_LENGTH]
        for name, violations in found.items()
        if violations
    ]
    return Count(passed=len(found) - len(broken), failed=len(broken), failures=broken)


INSTANCE_OF = ("WEIR_HOME", "WEIR_PORT_BASE")


def chaos(arguments: Sequence[str], *, is_test: bool = False) -> int:
    folders = [str(ROOT / "tools"), str(ROOT / "tests")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    if is_test:
        # A developer's own instance is not what a test may break.
        environment = {k: v for k, v in environment.items() if k not in INSTANCE_OF}
    argv = [PYTHON, "-m", "chaos.run", *arguments]
    return subprocess.run(argv, cwd=ROOT, env=environment, check=False).returncode


RUNNERS: dict[str, Callable[[str | None], Count]] = {
    "check": run_check,
    "unit": run_unit,
    "scenario": lambda name: run_ctest("scenario", name),
    "contract": run_contract,
    "integration": run_integration,
    "conformance": run_conformance,
    "supabase": run_supabase,
    "chaos": run_chaos,
    "fuzz": run_fuzz,
}


def check() -> int:
    packages.ensure(["build", "camera", "test"], log_for_check())
    return subprocess.run([str(ROOT / "tools" / "check")], cwd=ROOT, check=False).returncode


def log_for_check() -> Path:
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS / "setup.log"


def clean_results() -> None:
    shutil.rmtree(RESULTS, ignore_errors=True)
