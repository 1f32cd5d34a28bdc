"""Apache Kafka of the lab: one KRaft node, broker and controller in one process."""

import base64
import logging
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mysync_lab.errors import DownloadFailed, MissingTool, ServerFailed
from mysync_lab.java import java
from mysync_lab.layout import LOOPBACK, cache_dir, locked, published, write_json
from mysync_lab.server import LocalServer

KNOWN = "4.3.0"
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


class KafkaServer(LocalServer):
    """A broker with two listeners for clients.

    `port`: the ordinary one. `proxied_listen_port`: the one that advertises `proxied_port`, where
    nobody listens until a fault proxy to `proxied_listen_port` does. A client that bootstraps from
    `proxied_port` therefore stays behind the proxy.
    """

    kind = "kafka"
    user = ""
    password = ""

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

    def status(self) -> dict[str, object]:
        return super().status() | {
            "proxied_listen_port": self.proxied_listen_port,
            "proxied_port": self.proxied_port,
        }

    def _port_roles(self) -> tuple[str, ...]:
        return ("port", "proxied_listen", "proxied", "controller")

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _write_properties(self) -> None:
        controller = f"{LOOPBACK}:{self._state['ports']['controller']}"
        proxied = f"{LOOPBACK}:{self.proxied_listen_port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"CLIENT://{self.bootstrap},PROXIED://{proxied},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENT://{self.bootstrap},PROXIED://{self.proxied_bootstrap}",
            "listener.security.protocol.map": (
                "CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "inter.broker.listener.name": "CLIENT",
            "log.dirs": str(self.data_dir),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            # Tests kill group members and wait for the rebalance.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # A killed broker may register again only when its old session is over (9 s by default).
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            # Tests of retention and compaction wait for the cleaner, which otherwise first looks
            # after 30 s and then every 5 min.
            "log.initial.task.delay.ms": "500",
            "log.retention.check.interval.ms": "500",
            "log.cleaner.backoff.ms": "500",
            "log.segment.delete.delay.ms": "500",
            # A transaction past its time-out is aborted soon after, not up to 10 s later.
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        self._properties.write_text("\n".join([*lines, *self.options]) + "\n")

    def _java(self, *arguments: str) -> list[str]:
        return [java(), "-cp", f"{libraries()}/*", *arguments]

    def _initialize(self) -> None:
        self._write_properties()
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(
            self._java(
                *("kafka.tools.StorageTool", "format", "-c", str(self._properties)),
                f"--cluster-id={cluster}",
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"{self.name}: formatting failed:\n{done.stdout}{done.stderr}")

    def _argv(self) -> list[str]:
        self._write_properties()
        return self._java(
            "-Xms256M",
            "-Xmx768M",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "kafka.Kafka",
            str(self._properties),
        )

    def _answers(self) -> str | None:
        try:
            client = AdminClient({"bootstrap.servers": self.bootstrap}, logger=_SILENT)
            brokers = client.list_topics(timeout=1.0).brokers
        except KafkaException:
            return None
        here = any(broker.port == self.port for broker in brokers.values())
        return KNOWN if here else None
