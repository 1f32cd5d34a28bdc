"""Apache Kafka of the lab: a broker and its KRaft controller, in a process each.

In one process they lose transactions when killed (Kafka 4.3.0): started again, such a broker first
acts on metadata from before the end of its log, takes the newest topics for deleted ones and drops
the commit markers still owed to them, whereupon `read_committed` consumers wait for ever. A broker
with a controller of its own, as in production, first catches up with that.

It loses them too when it is back before the controller has ended its predecessor's session. It then
takes itself for the leader still and sets about the owed markers, before it listens; when the news
comes that nobody leads, it takes that for a deletion, drops them and may yet write that the
transaction is complete. So a killed broker is started again only when that session is over.
"""

import abc
import base64
import contextlib
import logging
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mysync_lab.errors import DownloadFailed, MissingTool, ServerFailed
from mysync_lab.java import java
from mysync_lab.layout import LOOPBACK, cache_dir, locked, published, write_json
from mysync_lab.proxy import FaultProxy
from mysync_lab.server import LocalServer

KNOWN = "4.3.0"
# A killed broker's session at the controller (9 s by default): it may register again only then.
_SESSION_SECONDS = 3.0
# What a broker brings along; slf4j-simple writes its warnings to the server's log.
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mysync</groupId><artifactId>lab</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KNOWN}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""
_SILENT = logging.getLogger("mysync_lab.kafka.client")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


def libraries() -> Path:
    """The folder of Kafka's jars, downloaded first if it isn't there."""
    target = cache_dir() / "kafka"
    with locked(cache_dir() / "kafka.lock"):
        if not target.exists():
            _download(target)
    return target / "libs"


def _download(target: Path) -> None:
    if shutil.which("mvn") is None:
        raise MissingTool(
            "mvn is needed to bring Kafka: install Maven (Debian: maven), or point "
            "MYSYNC_LAB_KAFKA at a broker that already runs"
        )
    with published(target) as work, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        pom = Path(scratch) / "pom.xml"
        pom.write_text(_POM)
        done = subprocess.run(
            [
                *("mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"),
                *("-DincludeScope=runtime", f"-DoutputDirectory={work / 'libs'}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DownloadFailed(f"bringing Kafka: mvn failed:\n{done.stdout[-1500:]}")
        write_json(work / "versions.json", {"kafka": KNOWN})


class _Node(LocalServer):
    """A Java process of Kafka with its `server.properties`."""

    kind = "kafka"
    user = ""
    password = ""
    heap = "768M"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    @abc.abstractmethod
    def _settings(self) -> dict[str, str]:
        """The content of `server.properties`, without the server's options."""

    @abc.abstractmethod
    def _cluster(self) -> str:
        """The cluster's id."""

    def _write_properties(self) -> None:
        settings = {
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": (
                "CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "log.dirs": str(self.data_dir),
        } | self._settings()
        lines = [f"{name}={value}" for name, value in settings.items()]
        self._properties.write_text("\n".join([*lines, *self.options]) + "\n")

    def _java(self, *arguments: str) -> list[str]:
        return [java(), "-cp", f"{libraries()}/*", *arguments]

    def _initialize(self) -> None:
        self._write_properties()
        command = self._java(
            *("kafka.tools.StorageTool", "format", "-c", str(self._properties)),
            f"--cluster-id={self._cluster()}",
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerFailed(f"{self.name}: formatting failed:\n{done.stdout}{done.stderr}")

    def _argv(self) -> list[str]:
        self._write_properties()
        return self._java(
            f"-Xmx{self.heap}",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "kafka.Kafka",
            str(self._properties),
        )


class _Controller(_Node):
    """The KRaft controller of one broker."""

    heap = "256M"

    def __init__(self, folder: Path, name: str, cluster: str) -> None:
        self._cluster_id = cluster
        super().__init__(folder, name)

    @property
    def voters(self) -> str:
        """`controller.quorum.voters`."""
        return f"100@{self.bootstrap}"

    def _cluster(self) -> str:
        return self._cluster_id

    def _settings(self) -> dict[str, str]:
        return {
            "process.roles": "controller",
            "node.id": "100",
            "controller.quorum.voters": self.voters,
            "listeners": f"CONTROLLER://{self.bootstrap}",
            "broker.session.timeout.ms": f"{_SESSION_SECONDS * 1000:.0f}",
        }

    def _answers(self) -> str | None:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return None
        return KNOWN


class KafkaServer(_Node):
    """A broker with two listeners for clients. `kill` leaves its controller alive.

    `port`: the ordinary one. `proxied_listen_port`: the one that advertises `proxied_port`, where
    nobody listens until a fault proxy to `proxied_listen_port` does. A client that bootstraps from
    `proxied_port` therefore stays behind the proxy.
    """

    def __init__(self, folder: Path, name: str, options: Sequence[str] | None = None) -> None:
        super().__init__(folder, name, options)
        self._controller = _Controller(
            folder.with_name(f".{name}-controller"), f"{name}'s controller", self._cluster()
        )

    @property
    def proxied_listen_port(self) -> int:
        """Where the broker listens for what comes through a proxy: the proxy's target."""
        return int(self._state["ports"]["proxied_listen"])

    @property
    def proxied_port(self) -> int:
        """The port that the broker advertises there: the proxy's own."""
        return int(self._state["ports"]["proxied"])

    @property
    def proxied_bootstrap(self) -> str:
        """What a client behind the proxy bootstraps from."""
        return f"{self.host}:{self.proxied_port}"

    @contextlib.contextmanager
    def proxy(self) -> Iterator[FaultProxy]:
        """A fault proxy on the advertised port, for one user at a time, whatever the process."""
        with (
            locked(self.folder / "proxy.lock"),
            FaultProxy(self.host, self.proxied_listen_port, self.proxied_port) as proxy,
        ):
            yield proxy

    def status(self) -> dict[str, object]:
        return super().status() | {
            "proxied_listen_port": self.proxied_listen_port,
            "proxied_port": self.proxied_port,
        }

    def launch(self) -> None:
        if self.pid is None:
            self._controller.launch()
            left = float(self._state.get("killed", 0)) + _SESSION_SECONDS - time.time()
            time.sleep(min(max(left, 0), _SESSION_SECONDS))
        super().launch()

    def kill(self) -> None:
        super().kill()
        self._remember(killed=time.time())

    def stop(self) -> None:
        # The broker takes its leave of the controller.
        super().stop()
        self._controller.stop()

    def remove(self) -> None:
        super().remove()
        self._controller.remove()

    def _port_roles(self) -> tuple[str, ...]:
        return ("port", "proxied_listen", "proxied")

    def _first_state(self) -> dict[str, Any]:
        return {"cluster": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")}

    def _cluster(self) -> str:
        return str(self._state["cluster"])

    def _settings(self) -> dict[str, str]:
        proxied = f"{LOOPBACK}:{self.proxied_listen_port}"
        return {
            "process.roles": "broker",
            "node.id": "1",
            "controller.quorum.voters": self._controller.voters,
            "listeners": f"CLIENT://{self.bootstrap},PROXIED://{proxied}",
            "advertised.listeners": f"CLIENT://{self.bootstrap},PROXIED://{self.proxied_bootstrap}",
            "inter.broker.listener.name": "CLIENT",
            "broker.heartbeat.interval.ms": "500",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            # Tests kill group members and wait for the rebalance.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # Tests of retention and compaction wait for the cleaner, which otherwise first looks
            # after 30 s and then every 5 min.
            "log.initial.task.delay.ms": "500",
            "log.retention.check.interval.ms": "500",
            "log.cleaner.backoff.ms": "500",
            "log.segment.delete.delay.ms": "500",
            # A transaction past its time-out is aborted soon after, not up to 10 s later.
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
        }

    def _answers(self) -> str | None:
        try:
            client = AdminClient({"bootstrap.servers": self.bootstrap}, logger=_SILENT)
            brokers = client.list_topics(timeout=1.0).brokers
        except KafkaException:
            return None
        here = any(broker.port == self.port for broker in brokers.values())
        return KNOWN if here else None
