"""The settings of both services: one YAML file, `MYSYNC_…__…` variables over it, secrets in files.

Every key `x` that holds a secret can be given as `x_file` instead, in the file or as a variable
(`MYSYNC_SOURCE__PASSWORD_FILE`): the file's content without its last newline. Unknown keys are
refused, naming the nearest known one.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mysync_runtime.startpoint import StartSetting

PIPELINE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
KIB = 1024
MIB = 1024 * KIB
DAY_MS = 24 * 60 * 60 * 1000


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


Names = Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)]
"""A list; as an environment variable, comma-separated."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SslSettings(Section):
    """TLS to a MySQL or MariaDB server, with the `mysql` client's modes."""

    mode: Literal["disabled", "preferred", "required", "verify_ca", "verify_identity"] = Field(
        default="preferred", description="`preferred` uses TLS where the server offers it"
    )
    ca: str | None = Field(default=None, description="file of certificate authorities (PEM)")
    cert: str | None = Field(default=None, description="file of the client's certificate (PEM)")
    key: str | None = Field(default=None, description="file of the client's private key (PEM)")
    key_password: SecretStr | None = None

    @model_validator(mode="after")
    def _files_fit_the_mode(self) -> "SslSettings":
        if self.mode == "disabled" and (self.ca or self.cert or self.key):
            raise ValueError("mode is disabled, but ca, cert or key are given")
        if bool(self.cert) != bool(self.key):
            raise ValueError("cert and key belong together")
        return self


class MysqlSettings(Section):
    """A MySQL or MariaDB server."""

    host: str = "127.0.0.1"
    port: int = Field(default=3306, ge=1, le=65535)
    user: str = "mysync"
    password: SecretStr = SecretStr("")
    ssl: SslSettings = SslSettings()
    connect_timeout: float = Field(default=10.0, gt=0, description="seconds")
    read_timeout: float = Field(default=60.0, gt=0, description="seconds without an answer")
    write_timeout: float = Field(default=60.0, gt=0, description="seconds")

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


class SourceSettings(MysqlSettings):
    """The server that is read."""

    server_id: int | None = Field(
        default=None,
        ge=1,
        le=2**32 - 1,
        description="as a replica; derived from the pipeline when absent",
    )
    heartbeat_seconds: float = Field(
        default=1.0, gt=0, le=60, description="how often a silent source tells that it is alive"
    )
    start: StartSetting | None = Field(
        default=None,
        description="where a new pipeline begins: latest, a position, a GTID set, a time, an age",
    )


class TargetSettings(MysqlSettings):
    """The server that is written."""

    name: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="part of the consumer group's id",
    )


class KafkaSettings(Section):
    bootstrap_servers: Names = Field(default=["127.0.0.1:9092"], min_length=1)
    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    sasl_mechanism: str | None = Field(
        default=None, description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, …"
    )
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca: str | None = Field(default=None, description="file of certificate authorities (PEM)")
    ssl_cert: str | None = Field(default=None, description="file of the client's certificate (PEM)")
    ssl_key: str | None = Field(default=None, description="file of the client's private key (PEM)")
    ssl_key_password: SecretStr | None = None
    ssl_verify: bool = True
    properties: dict[str, str | int | float | bool] = Field(
        default={},
        description="more librdkafka properties; those that mysync sets itself are refused",
    )

    # What the clients' properties set, by every name that librdkafka has for it; and what would
    # break them.
    PROTECTED: ClassVar[frozenset[str]] = frozenset(
        {
            "acks",
            "allow.auto.create.topics",
            "auto.commit.enable",
            "auto.offset.reset",
            "bootstrap.servers",
            "compression.codec",
            "compression.type",
            "delivery.timeout.ms",
            "enable.auto.commit",
            "enable.auto.offset.store",
            "enable.idempotence",
            "enable.partition.eof",
            "enable.ssl.certificate.verification",
            "fetch.error.backoff.ms",
            "fetch.message.max.bytes",
            "fetch.queue.backoff.ms",
            "fetch.wait.max.ms",
            "group.id",
            "group.instance.id",
            "group.protocol",
            "heartbeat.interval.ms",
            "isolation.level",
            "linger.ms",
            "log.connection.close",
            "max.in.flight",
            "max.in.flight.requests.per.connection",
            "max.partition.fetch.bytes",
            "max.poll.interval.ms",
            "message.max.bytes",
            "message.send.max.retries",
            "message.timeout.ms",
            "metadata.broker.list",
            "partition.assignment.strategy",
            "queue.buffering.max.kbytes",
            "queue.buffering.max.messages",
            "queue.buffering.max.ms",
            "queued.max.messages.kbytes",
            "reconnect.backoff.max.ms",
            "request.required.acks",
            "retries",
            "retry.backoff.ms",
            "sasl.mechanism",
            "sasl.mechanisms",
            "sasl.password",
            "sasl.username",
            "security.protocol",
            "session.timeout.ms",
            "socket.keepalive.enable",
            "ssl.ca.location",
            "ssl.certificate.location",
            "ssl.key.location",
            "ssl.key.password",
            "transaction.timeout.ms",
            "transactional.id",
        }
    )

    @model_validator(mode="after")
    def _leave_the_protected_ones_alone(self) -> "KafkaSettings":
        if taken := sorted(self.PROTECTED & self.properties.keys()):
            raise ValueError(
                f"properties: mysync sets {', '.join(taken)} itself, by settings of its own or as "
                "exactly-once needs it"
            )
        return self


class TopicsSettings(Section):
    """What topics are created with. `partitions` is fixed for the life of a pipeline."""

    partitions: int = Field(default=8, ge=1, le=1024)
    replication_factor: int = Field(default=1, ge=1)
    min_insync_replicas: int = Field(default=1, ge=1)
    retention_ms: int = Field(
        default=7 * DAY_MS, ge=-1, description="of the rows topic; -1 keeps for ever"
    )
    max_message_bytes: int = Field(
        default=1_000_000, ge=10_000, le=32 * MIB, description="larger rows go in parts"
    )

    @model_validator(mode="after")
    def _enough_replicas(self) -> "TopicsSettings":
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError("min_insync_replicas is greater than replication_factor")
        return self


class FiltersSettings(Section):
    """Which tables are replicated: globs over `database.table`. Excluding wins."""

    include: Names = ["*.*"]
    exclude: Names = []


class RenameSettings(Section):
    """Other names on the target, as `old: new`."""

    databases: dict[str, str] = {}
    tables: dict[str, str] = Field(default={}, description="`database.table: database.table`")

    RESERVED: ClassVar[frozenset[str]] = frozenset(
        {"mysync", "mysql", "sys", "information_schema", "performance_schema"}
    )

    @model_validator(mode="after")
    def _to_places_of_their_own(self) -> "RenameSettings":
        taken: dict[str, str] = {}
        for old, new in self.tables.items():
            if not all(new.partition(".")):
                raise ValueError(f"tables: {new!r} isn't `database.table`")
            if new in taken:
                raise ValueError(f"tables: {taken[new]} and {old} are both renamed to {new}")
            taken[new] = old
        names = {new.partition(".")[0] for new in taken} | set(self.databases.values())
        if reserved := sorted(name for name in names if name.lower() in self.RESERVED):
            raise ValueError(f"no table may be renamed into {', '.join(reserved)}")
        return self


class SchemaRegistrySettings(Section):
    """An external Confluent-compatible registry; without a url, schema ids are the producer's."""

    url: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    ssl_ca: str | None = None


class PublishSettings(Section):
    """Kafka transactions of the producer: they end when nothing is queued, or at these caps."""

    max_bytes: int = Field(default=16 * MIB, ge=64 * KIB)
    max_seconds: float = Field(default=1.0, gt=0, le=30)
    transaction_timeout_ms: int = Field(default=60_000, ge=10_000, le=900_000)
    leader_session_timeout_ms: int = Field(
        default=6_000, ge=500, description="after which a standby takes over from a killed producer"
    )


class TransferSettings(Section):
    """How tables are copied to the target while the source goes on."""

    initial: Literal["when_needed", "full", "schema", "never"] = Field(
        default="when_needed",
        description="what a new pipeline gives the target first; when_needed: all, unless "
        "`source.start` says where the target stands",
    )
    on_lost_position: Literal["stop", "transfer"] = Field(
        default="stop",
        description="when the source doesn't have what follows any more: stop and say so, or make "
        "all tables anew on the target and transfer them",
    )
    streams: int = Field(default=2, ge=1, le=64, description="connections that read at a time")
    chunk_seconds: float = Field(
        default=0.02, gt=0, le=60, description="that reading a chunk of a table should take"
    )
    chunk_bytes: int = Field(
        default=4 * MIB, ge=64 * KIB, description="of a chunk; a single row may be larger"
    )
    max_load: float = Field(
        default=0.1, gt=0, le=1, description="share of the time in which a stream reads"
    )
    max_rows_per_second: int | None = Field(default=20_000, ge=1, description="over all streams")
    max_threads_running: int = Field(
        default=32, ge=1, description="of the source; reading waits while it has more"
    )
    max_lag_records: int = Field(
        default=500_000, ge=1, description="that consumers are behind; reading waits meanwhile"
    )
    watermark_table: str = Field(
        default="mysync.watermark",
        pattern=r"^[^.`]+\.[^.`]+$",
        description="written on a source without MySQL's GTIDs, to know what it shows",
    )


class ApplySettings(Section):
    """How the consumer writes the target."""

    via: Literal["auto", "row_events", "sql"] = Field(
        default="auto", description="how rows are written; auto: as the account's privileges allow"
    )
    coalesce: bool = Field(default=True, description="write the net effect of a run per key")
    on_divergence: Literal["stop", "quarantine"] = Field(
        default="stop", description="when a table can't be written: all stops, or it is set aside"
    )
    max_failures: int = Field(
        default=5, ge=1, description="in a row at one place, before the table is quarantined"
    )
    batch_rows: int = Field(default=2_000, ge=1, description="of one target transaction")
    batch_bytes: int = Field(default=8 * MIB, ge=64 * KIB, description="of one target transaction")
    queue_bytes: int = Field(default=16 * MIB, ge=64 * KIB, description="waiting, per partition")
    prefetch_kbytes: int = Field(
        default=4 * KIB,
        ge=64,
        le=2_097_151,
        description="fetched ahead per partition, KiB",
    )
    processes: int = Field(default=1, ge=1, le=256)
    group_session_timeout_ms: int = Field(default=10_000, ge=500)
    max_poll_interval_ms: int = Field(default=300_000, ge=10_000)
    session_wait_timeout: int = Field(
        default=60,
        ge=5,
        description="seconds after which the target drops a silent session's locks",
    )
    lock_wait_timeout: int = Field(
        default=20, ge=1, description="seconds; then the batch is retried"
    )


class DdlSettings(Section):
    """What becomes of statements that aren't about rows. Those on replicated tables, their indexes
    and databases are always carried."""

    unknown: Literal["stop", "forward", "skip"] = Field(
        default="stop", description="statements that can't be read, where they may concern a table"
    )
    nondeterministic: Literal["stop", "forward"] = Field(
        default="stop", description="statements that fill rows otherwise on each server"
    )
    views: Literal["apply", "skip"] = "apply"
    triggers: Literal["apply", "skip"] = Field(
        default="apply", description="left out where rows are written by SQL: they would fire again"
    )
    routines: Literal["apply", "skip"] = "skip"
    events: Literal["apply", "skip"] = "skip"
    accounts: Literal["apply", "skip"] = Field(default="skip", description="users, roles, grants")
    across_flavors: Literal["refuse", "forward"] = Field(
        default="refuse", description="statements from MySQL to MariaDB or back"
    )
    on_failure: Literal["stop", "quarantine"] = Field(
        default="stop", description="what follows a statement that fails on the target"
    )


class HttpSettings(Section):
    """Health, metrics, status and schemas. Port 0 takes any free port."""

    host: str = "127.0.0.1"
    producer_port: int = Field(default=8701, ge=0, le=65535)
    consumer_port: int = Field(default=8702, ge=0, le=65535)
    token: SecretStr | None = None


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(BaseSettings):
    """Everything that can be set. Names derived from it are properties."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix="MYSYNC_",
        env_nested_delimiter="__",
        case_sensitive=False,
    )

    pipeline: str = Field(pattern=PIPELINE_PATTERN, description="names everything of a pipeline")
    kafka: KafkaSettings = KafkaSettings()
    source: SourceSettings = SourceSettings()
    target: TargetSettings = TargetSettings()
    topics: TopicsSettings = TopicsSettings()
    filters: FiltersSettings = FiltersSettings()
    rename: RenameSettings = RenameSettings()
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()
    publish: PublishSettings = PublishSettings()
    transfer: TransferSettings = TransferSettings()
    apply: ApplySettings = ApplySettings()
    ddl: DdlSettings = DdlSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    grace_seconds: float = Field(
        default=25.0,
        gt=0,
        description="for a clean stop; less than the pod's terminationGracePeriodSeconds",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        from mysync_runtime.loading import EnvironmentWithFiles

        return EnvironmentWithFiles(settings_cls), init_settings

    @property
    def rows_topic(self) -> str:
        return f"{self.pipeline}.rows"

    @property
    def control_topic(self) -> str:
        return f"{self.pipeline}.control"

    @property
    def state_topic(self) -> str:
        return f"{self.pipeline}.state"

    @property
    def xa_topic(self) -> str:
        """Rows of prepared XA transactions, until they are committed."""
        return f"{self.pipeline}.xa"

    @property
    def transactional_id(self) -> str:
        return self.pipeline

    @property
    def position_group(self) -> str:
        """The group that never has members and holds the binlog position."""
        return f"mysync-producer-{self.pipeline}"

    @property
    def leader_group(self) -> str:
        """The group whose one assigned member is the active producer."""
        return f"mysync-producer-{self.pipeline}-leader"

    @property
    def consumer_group(self) -> str:
        return f"mysync-consumer-{self.pipeline}-{self.target.name}"
