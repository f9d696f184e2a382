# SPDX-License-Identifier: Apache-2.0
"""`./dev` keeps what it promises about services, keys, ports and processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
import uuid
from pathlib import Path

import jwt
from client import wait_for
from conftest import Dev, free_port_base

from dev import keeper, watcher
from dev.instance import Instance


def test_infra_comes_up_and_a_second_up_changes_nothing_that_runs(infra: Dev) -> None:
    before = infra.status()
    assert {name: health for name, (_, health) in before.items()} == {
        "kafka": "up",
        "postgres": "up",
        "redis": "up",
    }
    infra.ok("infra", "up")
    assert infra.status() == before


def test_env_names_what_scripts_rely_on(infra: Dev) -> None:
    values = infra.env()
    assert values["WEIR_API_URL"] == f"http://127.0.0.1:{infra.base + 1}"
    assert values["WEIR_GATEWAY_URL"] == f"http://127.0.0.1:{infra.base}"
    assert values["WEIR_KAFKA"] == f"127.0.0.1:{infra.base + 3}"
    assert values["WEIR_POSTGRES"].startswith("postgres://")
    assert values["WEIR_REDIS"].startswith("redis://")


def test_a_token_has_supabases_claims_and_verifies_with_the_published_keys(infra: Dev) -> None:
    sub = str(uuid.uuid4())
    out = infra.ok("token", "--tenant", "acme", "--role", "viewer", "--sub", sub, "--ttl", "60")
    token = out.strip().splitlines()[-1]
    key = json.loads((infra.home / "secrets" / "jwks.json").read_text())["keys"][0]
    assert jwt.get_unverified_header(token)["kid"] == key["kid"]
    claims = jwt.decode(
        token,
        jwt.PyJWK(key).key,
        algorithms=["ES256"],
        audience="authenticated",
        issuer=infra.env()["WEIR_JWT_ISSUER"],
    )
    assert claims["sub"] == sub
    assert claims["exp"] - claims["iat"] == 60
    assert claims["role"] == "authenticated"
    assert claims["is_anonymous"] is False
    assert claims["app_metadata"]["tenant_role"] == "viewer"
    assert uuid.UUID(claims["app_metadata"]["tenant_id"]).version == 5
    assert {"session_id", "aal", "email"} <= claims.keys()


def test_secrets_are_readable_by_their_owner_only(infra: Dev) -> None:
    folder = infra.home / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    files = list(folder.iterdir())
    assert len(files) >= 10
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_no_process_shows_a_secret_in_its_arguments(infra: Dev) -> None:
    folder = infra.home / "secrets"
    secrets = [path.read_text().strip() for path in folder.glob("*-password")]
    assert len(secrets) >= 5
    for pid, _ in infra.status().values():
        argv = Path(f"/proc/{pid}/cmdline").read_text()
        assert not any(secret in argv for secret in secrets)


def test_a_dead_service_shows_in_status_and_up_starts_only_that(infra: Dev) -> None:
    before = infra.status()
    os.kill(int(before["redis"][0]), signal.SIGKILL)
    assert infra.status()["redis"] == ("-", "DEAD")
    assert infra.run("status").returncode != 0
    infra.ok("infra", "up")
    after = infra.status()
    assert after["redis"][1] == "up"
    assert after["redis"][0] != before["redis"][0]
    assert after["kafka"] == before["kafka"]
    assert after["postgres"] == before["postgres"]


def test_what_dies_is_started_again_and_counted_while_the_watcher_runs(infra: Dev) -> None:
    instance = Instance(infra.home, infra.base)
    watcher.start(instance)
    try:
        before = infra.status()
        os.kill(int(before["redis"][0]), signal.SIGKILL)
        wait_for("Redis again", lambda: infra.status()["redis"][1] == "up", seconds=30)
        after = infra.status()
        assert after["redis"][0] != before["redis"][0]
        assert after["kafka"] == before["kafka"]
        assert keeper.load(instance, "redis").restarts == 1
    finally:
        keeper.stop(instance, watcher.NAME)


def test_what_is_stopped_on_purpose_stays_so_until_it_is_started(infra: Dev) -> None:
    instance = Instance(infra.home, infra.base)
    watcher.start(instance)
    try:
        infra.ok("stop", "redis")
        time.sleep(2 * (watcher.DELAY_S + watcher.LOOK_S))
        assert infra.status()["redis"] == ("-", "stopped")
        infra.ok("start", "redis")
        assert infra.status()["redis"][1] == "up"
    finally:
        keeper.stop(instance, watcher.NAME)


def test_a_recycled_pid_is_not_taken_for_a_process_of_ours(infra: Dev) -> None:
    file = infra.home / "pid" / "stranger.json"
    record = json.loads((infra.home / "pid" / "redis.json").read_text())
    file.write_text(json.dumps({**record, "pid": os.getpid()}))
    try:
        assert infra.status()["stranger"] == ("-", "DEAD")
    finally:
        file.unlink()


def test_another_port_base_for_the_same_home_is_refused(infra: Dev) -> None:
    other = Dev(infra.home, infra.base + 100)
    done = other.run("infra", "up")
    assert done.returncode == 1
    assert str(infra.base) in done.stderr


def test_a_taken_port_is_an_error_that_names_port_and_process(tmp_path: Path) -> None:
    other = Dev(tmp_path / "home", free_port_base())
    with socket.create_server(("127.0.0.1", other.base + 6)):
        try:
            done = other.run("infra", "up")
        finally:
            other.run("down", "--wipe")
    assert done.returncode == 1
    assert f"port {other.base + 6} (redis)" in done.stderr
    assert f"(pid {os.getpid()})" in done.stderr
    assert not other.home.exists()


def test_wipe_leaves_nothing_and_stops_everything(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = Dev(home, free_port_base())
    made.ok("infra", "up")
    pids = [int(pid) for pid, _ in made.status().values()]
    made.ok("down", "--wipe")
    assert not home.exists()
    assert [pid for pid in pids if runs(pid)] == []


def test_a_home_that_was_deleted_by_hand_leaves_nothing_to_stumble_over(tmp_path: Path) -> None:
    """What lay beside it (Postgres' files, when its user may not enter the home) is begun anew."""
    made = Dev(tmp_path / "home", free_port_base())
    try:
        made.ok("infra", "up")
        made.ok("down")
        shutil.rmtree(made.home)
        made.ok("infra", "up")
    finally:
        made.run("down", "--wipe")


def runs(pid: int) -> bool:
    """A zombie that nobody has collected yet does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False

