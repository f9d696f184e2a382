# SPDX-License-Identifier: Apache-2.0
"""The three services that Weir stands on: Kafka, Postgres and Redis, each an own small instance."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from pathlib import Path

from dev import kafka_jars, keeper, keys
from dev.instance import Instance, can_enter, postgres_refuge, write_private
from dev.ports import require_free
from dev.shell import output_of, run_logged
from dev.ui import DevError, Step

POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
MAX_SOCKET_DIR = 80

POSTGRES_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = '64MB'
jit = off
autovacuum_naptime = '10s'
max_wal_size = '256MB'
wal_level = 'minimal'
max_wal_senders = 0
log_line_prefix = '%m [%p] %u '
timezone = 'UTC'
"""

POSTGRES_HBA = """local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""

ROLES_SQL = """
CREATE ROLE weir_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{owner}';
CREATE ROLE weir_api LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{api}';
CREATE ROLE weir_audit LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{audit}';
CREATE DATABASE weir OWNER weir_owner;
"""

REDIS_CONF = """bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
daemonize no
user weir-api on >{api} resetkeys ~weir:source:* ~weir:key:* %R~weir:[0-9]*:scores %R~weir:[0-9]*:encoders resetchannels -@all +eval +hmget +hget +hset +del +pexpire +set +get +zscore
user weir-scheduler on >{scheduler} resetkeys ~weir:[0-9]* resetchannels +@all -@dangerous -@admin
user weir-worker on >{worker} resetkeys %R~weir:source:* resetchannels -@all +hget
"""


def log_says(instance: Instance, name: str, since: int, text: str) -> bool:
    with instance.log_of(name).open("rb") as file:
        file.seek(since)
        return text.encode() in file.read()


def log_size(instance: Instance, name: str) -> int:
    path = instance.log_of(name)
    size = path.stat().st_size if path.is_file() else 0
    return 0 if size > keeper.LOG_ROTATE_BYTES else size


def start_kafka(instance: Instance, setup_log: Path) -> None:
    with Step("Kafka") as step:
        port, controller = instance.port("kafka"), instance.port("kafka-controller")
        step.note = f"127.0.0.1:{port}"
        if keeper.running(instance, "kafka"):
            return
        jars = kafka_jars.libs(setup_log)
        template = kafka_jars.template(jars, setup_log)
        require_free(kafka=port, kafka_controller=controller)
        folder = instance.home / "kafka"
        if not (folder / "data").is_dir():
            folder.mkdir(exist_ok=True)
            shutil.rmtree(folder / "data.new", ignore_errors=True)
            shutil.copytree(template / "data", folder / "data.new")
            (folder / "data.new").rename(folder / "data")
        config = folder / "server.properties"
        write_private(config, kafka_jars.properties(port, controller, folder / "data"))
        since = log_size(instance, "kafka")
        argv = kafka_jars.java_options(f"-XX:SharedArchiveFile={template / 'classes.jsa'}")
        argv += ["-cp", kafka_jars.class_path(jars), "kafka.Kafka", str(config)]
        keeper.start(instance, "kafka", argv, env={**os.environ, "LC_ALL": "C.UTF-8"})
        keeper.wait_ready(
            instance, "kafka", lambda: log_says(instance, "kafka", since, kafka_jars.STARTED), 120
        )


def start_redis(instance: Instance) -> None:
    with Step("Redis") as step:
        port = instance.port("redis")
        step.note = f"127.0.0.1:{port}"
        if keeper.running(instance, "redis"):
            return
        require_free(redis=port)
        folder = instance.home / "redis"
        folder.mkdir(exist_ok=True)
        password = keys.read(instance, "redis-password")
        config = folder / "redis.conf"
        users = {name: keys.read(instance, f"redis-{name}-password") for name in REDIS_USERS}
        text = REDIS_CONF.format(port=port, password=password, folder=folder, **users)
        write_private(config, text)
        since = log_size(instance, "redis")
        keeper.start(instance, "redis", ["redis-server", str(config)])
        ready = "Ready to accept connections"
        keeper.wait_ready(instance, "redis", lambda: log_says(instance, "redis", since, ready), 15)


def postgres_folder(instance: Instance) -> Path:
    """Where Postgres' files lie: in the home, unless its user may not enter there."""
    if os.getuid() == 0 and not can_enter("postgres", instance.home):
        return postgres_refuge(instance)
    return instance.home / "postgres"


def as_postgres() -> list[str]:
    """Postgres refuses to run as root; Debian's package brings a user for it."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


def postgres_url(instance: Instance, role: str) -> str:
    secret = "postgres-password" if role == "postgres" else role.replace("weir_", "postgres-")
    password = keys.read(instance, secret if role == "postgres" else f"{secret}-password")
    return f"postgres://{role}:{password}@{instance.address('postgres')}/weir"


REDIS_USERS = ("api", "scheduler", "worker")


def redis_url(instance: Instance, daemon: str | None = None) -> str:
    """Of the user who may do anything, or of a daemon's own."""
    user = "default" if daemon is None else f"weir-{daemon}"
    secret = "redis-password" if daemon is None else f"redis-{daemon}-password"
    return f"redis://{user}:{keys.read(instance, secret)}@{instance.address('redis')}"


def start_postgres(instance: Instance, setup_log: Path) -> None:
    with Step("Postgres") as step:
        port = instance.port("postgres")
        step.note = f"127.0.0.1:{port}"
        if keeper.running(instance, "postgres"):
            return
        require_free(postgres=port)
        folder = postgres_folder(instance)
        fresh = not (folder / "data" / "PG_VERSION").is_file()
        if fresh:
            init_postgres(instance, folder, setup_log)
        write_postgres_conf(instance, folder)
        since = log_size(instance, "postgres")
        argv = [*as_postgres(), str(POSTGRES_BIN / "postgres"), "-D", str(folder / "data")]
        keeper.start(instance, "postgres", argv, cwd=folder)
        ready = "database system is ready to accept connections"
        keeper.wait_ready(
            instance, "postgres", lambda: log_says(instance, "postgres", since, ready), 120
        )
        ensure_database(instance)


def init_postgres(instance: Instance, folder: Path, log: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    password = folder / "password"
    write_private(password, keys.read(instance, "postgres-password") + "\n")
    if os.getuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        os.chown(password, owner.pw_uid, owner.pw_gid)
    argv = [*as_postgres(), str(POSTGRES_BIN / "initdb"), "-D", str(folder / "data")]
    argv += ["-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(password)]
    argv += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    run_logged(argv, log, cwd=folder)
    password.unlink()


def write_postgres_conf(instance: Instance, folder: Path) -> None:
    sockets = str(folder) if len(str(folder)) <= MAX_SOCKET_DIR else ""
    text = POSTGRES_CONF.format(port=instance.port("postgres"), sockets=sockets)
    included = folder / "data" / "weir.conf"
    main = folder / "data" / "postgresql.conf"
    if "include 'weir.conf'" not in main.read_text():
        with main.open("a") as file:
            file.write("\ninclude 'weir.conf'\n")
    included.write_text(text)
    included.chmod(0o644)
    (folder / "data" / "pg_hba.conf").write_text(POSTGRES_HBA)


def sql(instance: Instance, text: str, database: str = "weir") -> str:
    """Runs SQL as the instance's superuser. The password travels in a file, never in argv."""
    passfile = instance.secrets / "pgpass"
    password = keys.read(instance, "postgres-password")
    port = instance.port("postgres")
    write_private(passfile, f"127.0.0.1:{port}:*:postgres:{password}\n")
    argv = ["env", f"PGPASSFILE={passfile}", "psql", "-X", "-q", "-A", "-t"]
    argv += ["-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    return output_of([*argv, "-d", database], feed=text.encode()).decode()


def ensure_database(instance: Instance) -> None:
    there = sql(instance, "SELECT 1 FROM pg_database WHERE datname = 'weir'", "postgres").strip()
    if there:
        return
    passwords = {name: keys.read(instance, f"postgres-{name}-password") for name in PG_ROLES}
    sql(instance, ROLES_SQL.format(**passwords), "postgres")


PG_ROLES = ("owner", "api", "audit")

STOP_HOW = {"postgres": signal.SIGINT}
STOP_TIMEOUT_S = {"kafka": 20.0, "postgres": 20.0}


def stop(instance: Instance, name: str) -> bool:
    how = STOP_HOW.get(name, signal.SIGTERM)
    return keeper.stop(instance, name, how=how, timeout_s=STOP_TIMEOUT_S.get(name, 10.0))


def require_program(path: Path) -> None:
    if not path.exists():
        raise DevError(f"{path} is missing")
