# SPDX-License-Identifier: Apache-2.0
"""Kafka from Maven: the pinned jars, an archive of loaded classes, and a formatted empty log.

The class archive (AppCDS) halves the start of a broker; the formatted folder is copied for each
instance, which saves a Java start. Both depend on the Java that made them, so its version is part
of their names in the cache.
"""

from __future__ import annotations

import functools
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from dev.pins import cached, pins, sha256_of, short_hash
from dev.shell import run_logged
from dev.ui import DevError

TEMPLATE_PORTS = (1, 2)

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir.dev</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_{scala}</artifactId>
      <version>{version}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>{slf4j_simple}</version>
    </dependency>
  </dependencies>
</project>
"""

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.io.buffer.size=131072
log.cleaner.backoff.ms=500
group.initial.rebalance.delay.ms=200
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
"""

STARTED = "Kafka Server started"


def properties(port: int, controller_port: int, data: Path) -> str:
    return PROPERTIES.format(port=port, controller_port=controller_port, data=data)


def libs(log: Path) -> Path:
    """The folder of the pinned jars, each checked against its sha256."""
    pin = pins()["kafka"]
    sums: dict[str, str] = pin["sha256"]

    def make(folder: Path) -> None:
        (folder / "pom.xml").write_text(POM.format(**pin))
        goal = "org.apache.maven.plugins:maven-dependency-plugin:{}:copy-dependencies".format(
            pin["dependency_plugin"]
        )
        maven = ["mvn", "-B", "-q", "-C", goal, "-DincludeScope=runtime", "-DoutputDirectory=libs"]
        run_logged(maven, log, cwd=folder)
        found = {path.name: sha256_of(path) for path in (folder / "libs").glob("*.jar")}
        wrong = sorted(
            name for name in found.keys() | sums.keys() if found.get(name) != sums.get(name)
        )
        if wrong:
            names = ", ".join(wrong)
            raise DevError(f"Kafka's jars differ from tools/setup/pins.toml: {names}", log)

    hashed = short_hash(*sorted(sums.values()))
    return cached(f"kafka-{pin['version']}-{hashed}", make) / "libs"


def class_path(jars: Path) -> str:
    """In one fixed order: the class archive is valid for exactly this path."""
    return ":".join(str(path) for path in sorted(jars.glob("*.jar")))


@functools.cache
def java_version() -> str:
    done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DevError("java does not run")
    return done.stderr


def java_options(archive: str) -> list[str]:
    return [
        "java",
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
        archive,
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    ]


def template(jars: Path, log: Path) -> Path:
    """A folder with `data` (a formatted, empty Kafka log) and `classes.jsa`."""

    def make(folder: Path) -> None:
        port, controller_port = TEMPLATE_PORTS
        config = folder / "server.properties"
        config.write_text(properties(port, controller_port, folder / "data"))
        format_argv = [
            *java_options("-Xlog:disable"),
            "-cp",
            class_path(jars),
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "d2Vpci1kZXZlbG9wbWVudA",
            "-c",
            str(config),
        ]
        run_logged(format_argv, log)
        record_classes(jars, folder / "data", folder / "classes.jsa", log)

    return cached(f"kafka-template-{short_hash(str(jars), java_version(), PROPERTIES)}", make)


def record_classes(jars: Path, formatted: Path, archive: Path, log: Path) -> None:
    """Runs a broker once on free ports of the kernel's choice and archives what it loaded."""
    with tempfile.TemporaryDirectory(prefix="weir-kafka-") as scratch:
        data = Path(scratch) / "data"
        shutil.copytree(formatted, data)
        config = Path(scratch) / "server.properties"
        port, controller_port = free_ports(2)
        config.write_text(properties(port, controller_port, data))
        argv = [
            *java_options(f"-XX:ArchiveClassesAtExit={archive}"),
            "-cp",
            class_path(jars),
            "kafka.Kafka",
            str(config),
        ]
        output = Path(scratch) / "output"
        with output.open("wb") as file:
            broker = subprocess.Popen(argv, stdout=file, stderr=subprocess.STDOUT)
            deadline = time.monotonic() + 60
            while STARTED not in output.read_text(errors="replace"):
                if broker.poll() is not None or time.monotonic() > deadline:
                    broker.kill()
                    with log.open("ab") as copy:
                        copy.write(output.read_bytes())
                    raise DevError("the first start of Kafka failed", log)
                time.sleep(0.05)
            broker.send_signal(signal.SIGTERM)
            try:
                broker.wait(timeout=60)
            except subprocess.TimeoutExpired:
                broker.kill()
                broker.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports
