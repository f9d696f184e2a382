# SPDX-License-Identifier: Apache-2.0
"""The checker of chaos runs names every planted violation, and finds none where all is well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from chaos_evidence import STREAM, WORKERS, Good, command_id, envelope

from chaos import checker


def broken(of: Good, folder: Path) -> dict[str, list[str]]:
    found = checker.check(of.write(folder))
    return {name: violations for name, violations in found.items() if violations}


def test_a_run_in_which_all_is_well_has_no_violation(tmp_path: Path) -> None:
    assert broken(Good(), tmp_path) == {}


def test_a_page_that_was_opened_again_begins_anew(tmp_path: Path) -> None:
    of = Good()
    of.history[-1].update(page=2, sequence=3, last=4)
    assert broken(of, tmp_path) == {}


# ---- one defect each ----


def lose_an_acknowledged_command(of: Good) -> None:
    for offset in (3, 9):
        of.decisions[offset]["data"]["command_id"] = command_id("lost")
    of.history = [line for line in of.history if line.get("op") != 2]
    of.audit_again()


def do_a_command_twice(of: Good) -> None:
    of.decisions[9]["data"]["reason"] = "already_live"


def leave_only_repeats_of_a_command(of: Good) -> None:
    of.decisions[3]["data"]["reason"] = "duplicate"


def send_what_was_refused(of: Good) -> None:
    of.commands[1]["data"]["command_id"] = command_id("lost")


def invent_a_command(of: Good) -> None:
    of.commands[1]["data"]["command_id"] = "99999999-0000-4000-8000-000000000009"


def leave_a_command_undecided(of: Good) -> None:
    of.commands.append(envelope("command.start", {"command_id": command_id("start")}))


def decide_a_record_twice(of: Good) -> None:
    of.decisions[10]["data"]["cause_offset"] = 1


def lose_a_decision_in_the_audit(of: Good) -> None:
    del of.audit[4]


def keep_a_decision_twice_in_the_audit(of: Good) -> None:
    of.audit.append(of.audit[4])


def call_a_void_decision_valid(of: Good) -> None:
    of.audit[6]["verdict"] = "valid"


def change_a_byte_in_the_audit(of: Good) -> None:
    of.audit[4]["raw"] = of.audit[4]["raw"].replace("running", "runninG")


def break_the_chain(of: Good) -> None:
    of.audit_verify = {"exit_code": 1, "output": "record 4 does not follow from record 3"}


def contradict_the_log(of: Good) -> None:
    of.decisions[4]["data"]["effects"][0]["from"] = "starting"


def repeat_a_generation(of: Good) -> None:
    of.decisions[7]["data"]["effects"][1]["generation"] = 99
    of.facts[1] = of.ran("fact.started", 1, 99, 6)
    of.heartbeats[1] = of.beat(1, 6, 99)


def run_one_generation_on_two_workers(of: Good) -> None:
    of.heartbeats.insert(2, of.beat(0, 5, 107))


def run_what_only_a_void_decision_placed(of: Good) -> None:
    of.heartbeats.insert(2, of.beat(1, 6, 108))


def run_under_an_older_incarnation(of: Good) -> None:
    of.facts[1] = of.ran("fact.started", 1, 107, 4)


def leave_a_stream_running(of: Good) -> None:
    of.heartbeats.append(of.beat(1, 6, 107))


def lose_a_view(of: Good) -> None:
    del of.redis[f"weir:0:stream:{STREAM}"]


def show_an_old_view(of: Good) -> None:
    of.redis[f"weir:0:stream:{STREAM}"]["state"] = "running"


def keep_a_view_of_nothing(of: Good) -> None:
    of.redis[f"weir:0:worker:{STREAM}"] = of.redis[f"weir:0:worker:{WORKERS[0]}"]


def write_views_of_an_older_epoch(of: Good) -> None:
    of.redis["weir:0:view"]["epoch"] = "0"


def let_a_sequence_go_back(of: Good) -> None:
    of.history[-1]["last"] = 4
    of.history[-1]["sequence"] = 3


def let_a_discontinuity_go_back(of: Good) -> None:
    of.history[-2]["discontinuity"] = 2


def leave_a_daemon_unwell(of: Good) -> None:
    of.history.append({"what": "unwell", "t": 9.0, "process": "scheduler-2"})


def leave_a_wanted_stream_dead(of: Good) -> None:
    of.liveness[0].update(running_after_s=None, state="backoff")


def leave_a_playlist_still(of: Good) -> None:
    of.liveness[0]["moved_after_s"] = None


def leave_a_process(of: Good) -> None:
    of.leftovers["processes"] = [{"pid": 7, "argv": "weir-tap"}]


def leave_a_segment(of: Good) -> None:
    of.leftovers["files"]["segments"] = ["worker-0/s0/a.mp4"]


def leave_a_temporary_file(of: Good) -> None:
    of.leftovers["temporary"] = ["env/api.env.new"]


def leak_sockets(of: Good) -> None:
    of.processes["end"]["worker-0"]["descriptors"]["socket"] = 500


def leak_children(of: Good) -> None:
    of.processes["end"]["worker-0"]["children"]["mediamtx"] = 5


def lose_a_daemon(of: Good) -> None:
    of.processes["end"]["worker-0"] = None


def skip_a_fault(of: Good) -> None:
    of.history = [line for line in of.history if line["what"] != "fault"]


def want_nothing(of: Good) -> None:
    of.liveness = []


PLANTED: list[tuple[Callable[[Good], None], str]] = [
    (lose_an_acknowledged_command, "an_acknowledged_command_is_decided_exactly_once"),
    (leave_only_repeats_of_a_command, "an_acknowledged_command_is_decided_exactly_once"),
    (do_a_command_twice, "no_command_is_done_twice"),
    (send_what_was_refused, "a_refused_command_is_nowhere"),
    (invent_a_command, "every_command_was_asked_for"),
    (leave_a_command_undecided, "every_command_record_gets_one_decision"),
    (decide_a_record_twice, "every_command_record_gets_one_decision"),
    (lose_a_decision_in_the_audit, "the_audit_is_the_log"),
    (keep_a_decision_twice_in_the_audit, "the_audit_is_the_log"),
    (call_a_void_decision_valid, "the_audit_is_the_log"),
    (change_a_byte_in_the_audit, "the_audit_is_the_log"),
    (break_the_chain, "the_audits_chain_is_whole"),
    (contradict_the_log, "the_log_contradicts_itself_nowhere"),
    (repeat_a_generation, "generations_only_rise"),
    (run_one_generation_on_two_workers, "one_worker_runs_a_generation"),
    (run_what_only_a_void_decision_placed, "one_worker_runs_a_generation"),
    (run_under_an_older_incarnation, "one_worker_runs_a_generation"),
    (leave_a_stream_running, "at_the_end_nobody_runs_what_is_not_his"),
    (lose_a_view, "redis_is_a_replay_of_the_log"),
    (show_an_old_view, "redis_is_a_replay_of_the_log"),
    (keep_a_view_of_nothing, "redis_is_a_replay_of_the_log"),
    (write_views_of_an_older_epoch, "redis_is_a_replay_of_the_log"),
    (let_a_sequence_go_back, "no_viewer_saw_a_sequence_go_back"),
    (let_a_discontinuity_go_back, "no_viewer_saw_a_sequence_go_back"),
    (leave_a_daemon_unwell, "every_process_is_well_after_the_faults"),
    (leave_a_wanted_stream_dead, "everything_wanted_plays_at_the_end"),
    (leave_a_playlist_still, "everything_wanted_plays_at_the_end"),
    (want_nothing, "everything_wanted_plays_at_the_end"),
    (leave_a_process, "no_process_and_no_file_is_left"),
    (leave_a_segment, "no_process_and_no_file_is_left"),
    (leave_a_temporary_file, "no_process_and_no_file_is_left"),
    (leak_sockets, "no_descriptor_and_no_child_is_left"),
    (leak_children, "no_descriptor_and_no_child_is_left"),
    (lose_a_daemon, "no_descriptor_and_no_child_is_left"),
    (skip_a_fault, "everything_was_written_down"),
]

# Evidence that says the same as the log is changed with it, so that one defect stays one.
FOLLOWS_THE_LOG = (
    do_a_command_twice, leave_only_repeats_of_a_command, decide_a_record_twice, contradict_the_log,
    repeat_a_generation,
)  # fmt: skip


@pytest.mark.parametrize(("plant", "named"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_defect_is_named(
    plant: Callable[[Good], None], named: str, tmp_path: Path
) -> None:
    of = Good()
    plant(of)
    if plant in FOLLOWS_THE_LOG:
        of.audit_again()
    assert list(broken(of, tmp_path)) == [named]


def test_every_invariant_has_a_planted_defect() -> None:
    planted = {named for _, named in PLANTED}
    assert planted == {invariant.__name__ for invariant in checker.INVARIANTS}


def test_missing_evidence_is_a_violation(tmp_path: Path) -> None:
    Good().write(tmp_path)
    (tmp_path / "heartbeats.jsonl").unlink()
    assert checker.check(tmp_path)["everything_was_written_down"] == ["heartbeats.jsonl is missing"]


def test_the_program_says_no_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of = Good()
    leave_a_process(of)
    monkeypatch.setattr("sys.argv", ["checker", str(of.write(tmp_path))])
    assert checker.main() == 1
    assert "VIOLATED  no process and no file is left" in capsys.readouterr().out
    (tmp_path / "leftovers.json").write_text(json.dumps({"processes": [], "files": {}}))
    assert checker.main() == 0
