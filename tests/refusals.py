"""Everything that mysync refuses: what causes it, the exit code, and words that must be said.

One table. A theme's rows are provoked in `tests/e2e/test_refusals_<theme>.py`, on real servers and
with real processes wherever those can be brought to do it; `how` says where not, and why.
"""

import re
from dataclasses import dataclass

SETUP, DATA, OTHER, USAGE = 3, 4, 1, 2


@dataclass(frozen=True)
class Refusal:
    """A row: the error's class as the paragraph names it ("" for the command line's own)."""

    theme: str
    cause: str
    error: str
    code: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return self.cause

    def check(self, code: int | None, output: str) -> str:
        """Asserts how a process ended and what it said; returns the paragraph."""
        assert "Traceback" not in output, output
        paragraphs = re.findall(r"^mysync: .*$", output, re.MULTILINE)
        assert len(paragraphs) == 1, f"not one paragraph:\n{output[-4000:]}"
        (paragraph,) = paragraphs
        assert output.rstrip().endswith(paragraph), f"it isn't the last that is said:\n{output}"
        assert code == self.code, f"exit code {code}: {paragraph}"
        assert paragraph.startswith(f"mysync: {self.error}: "), paragraph
        missing = [word for word in self.words if word not in paragraph]
        assert not missing, f"{missing} not in: {paragraph}"
        # What was found and what to do about it are sentences of their own.
        assert len(re.findall(r"[.!?;](?: |$)", paragraph)) >= 2, f"no advice: {paragraph}"
        return paragraph


def _rows(theme: str, *rows: tuple[str, str, int, tuple[str, ...]]) -> tuple[Refusal, ...]:
    return tuple(Refusal(theme, *row) for row in rows)


TABLE: tuple[Refusal, ...] = (
    *_rows(
        "settings",
        (
            "an unknown key",
            "ConfigError",
            SETUP,
            ("kafka.bootstrap_server is not a setting", "did you mean kafka.bootstrap_servers?"),
        ),
        (
            "an unknown section",
            "ConfigError",
            SETUP,
            ("filter is not a setting", "did you mean filters?"),
        ),
        ("a pipeline name that can't be a namespace", "ConfigError", SETUP, ("pipeline:", "[A-Z")),
        ("no pipeline name", "ConfigError", SETUP, ("pipeline is missing",)),
        ("a missing section", "ConfigError", SETUP, ("needs the section source",)),
        ("a key given twice", "ConfigError", SETUP, ("'host' is given twice", "mysync.yaml:")),
        ("a file that isn't YAML", "ConfigError", SETUP, ("isn't YAML", "mysync.yaml:")),
        ("no settings file", "ConfigError", SETUP, ("can't be read", "--config")),
        (
            "a misspelt variable",
            "ConfigError",
            SETUP,
            ("MYSYNC_SUORCE__HOST sets nothing", "source"),
        ),
        (
            "a property of Kafka that exactly-once rests on",
            "ConfigError",
            SETUP,
            ("mysync sets enable.idempotence itself",),
        ),
        (
            "a property that librdkafka doesn't know",
            "ConfigError",
            SETUP,
            ("librdkafka refuses", "no.such.property"),
        ),
        ("a filter that isn't database.table", "ConfigError", SETUP, ("shop", "database.table")),
        (
            "a watermark that would be replicated",
            "ConfigError",
            SETUP,
            ("transfer.watermark_table", "shop.marks", "filters.exclude"),
        ),
        ("a secret's file that isn't there", "ConfigError", SETUP, ("password_file", "secret")),
        (
            "more replicas in sync than replicas",
            "ConfigError",
            SETUP,
            ("topics:", "min_insync_replicas is greater"),
        ),
        (
            "a time to begin at without its zone",
            "ConfigError",
            SETUP,
            ("source.start: ", "has no zone"),
        ),
        (
            "a place to begin at that is none",
            "ConfigError",
            SETUP,
            ("source.start: 'yesterday' isn't a place to begin at", "binlog.000042:1234"),
        ),
    ),
    *_rows(
        "reach",
        (
            "Kafka doesn't answer the producer",
            "Unreachable",
            OTHER,
            ("Kafka (127.0.0.1:1)", "30 s"),
        ),
        (
            "Kafka doesn't answer the consumer",
            "Unreachable",
            OTHER,
            ("Kafka (127.0.0.1:1)", "30 s"),
        ),
        ("the source doesn't answer", "Unreachable", OTHER, ("the source (127.0.0.1:1)", "30 s")),
        ("the target doesn't answer", "Unreachable", OTHER, ("the target (127.0.0.1:1)", "30 s")),
        (
            "a wrong password of the source",
            "CredentialsError",
            SETUP,
            ("Access denied", "password"),
        ),
        (
            "a wrong password of the target",
            "CredentialsError",
            SETUP,
            ("Access denied", "password"),
        ),
    ),
    *_rows(
        "source",
        (
            "binlog_format isn't ROW",
            "PreflightError",
            SETUP,
            ("binlog_format is MIXED instead of ROW",),
        ),
        (
            "binlog_row_image isn't FULL",
            "PreflightError",
            SETUP,
            ("binlog_row_image is MINIMAL instead of FULL",),
        ),
        (
            "binlog_row_metadata isn't FULL",
            "PreflightError",
            SETUP,
            (
                "binlog_row_metadata is MINIMAL instead of FULL",
                "SET GLOBAL binlog_row_metadata = 'FULL'",
            ),
        ),
        (
            "the user may not read the log",
            "PreflightError",
            SETUP,
            (
                "the user may not read the binary log",
                "GRANT REPLICATION SLAVE ON *.* TO 'weak'",
            ),
        ),
        (
            "the user may not see the log's end",
            "PreflightError",
            SETUP,
            (
                "the user may not see where the binary log ends",
                "GRANT REPLICATION CLIENT ON *.* TO 'weak'",
            ),
        ),
        (
            "the user may not read definitions",
            "PreflightError",
            SETUP,
            ("the user may not read the definitions of setup_db.*", "GRANT SELECT ON `"),
        ),
        (
            "our server_id is the source's own",
            "PreflightError",
            SETUP,
            ("source.server_id", "is the source's own", "set `source.server_id`"),
        ),
        (
            "no binary log",
            "PreflightError",
            SETUP,
            ("the source writes no binary log", "--log-bin"),
        ),
        (
            "a log of some databases only",
            "PreflightError",
            SETUP,
            (
                "the source logs only some databases (binlog-do-db=only_this)",
                "remove binlog-do-db",
            ),
        ),
        (
            "a log that leaves a database out",
            "PreflightError",
            SETUP,
            (
                "the source logs only some databases (binlog-ignore-db=not_this)",
                "remove binlog-ignore-db",
            ),
        ),
        (
            "a replica that doesn't log what it replicates",
            "PreflightError",
            SETUP,
            (
                "the source is a replica, and what it replicates isn't in its log",
                "--log-replica-updates=ON",
            ),
        ),
        (
            "MariaDB logs no column names",
            "PreflightError",
            SETUP,
            (
                "binlog_row_metadata is NO_LOG instead of FULL",
                "SET GLOBAL binlog_row_metadata = 'FULL'",
            ),
        ),
        (
            "MariaDB's user may not see the log's end",
            "PreflightError",
            SETUP,
            (
                "the user may not see where the binary log ends",
                "GRANT BINLOG MONITOR ON *.* TO 'weak'",
            ),
        ),
        (
            "a server that is too old to be a source",
            "PreflightError",
            SETUP,
            ("MariaDB 10.4.30 is too old: its log has no column names", "10.5.0"),
        ),
    ),
    *_rows(
        "columns",
        (
            "a stored column that depends on the time zone",
            "PreflightError",
            SETUP,
            ("a_stored: column hours would have other values on the target: a TIMESTAMP",),
        ),
        (
            "an index that depends on the time zone",
            "PreflightError",
            SETUP,
            ("an_index: index k would have other values on the target: FROM_UNIXTIME",),
        ),
        (
            "a table versioned by transactions",
            "PreflightError",
            SETUP,
            ("_versioned: column f: the table is versioned by transaction numbers",),
        ),
    ),
    *_rows(
        "crossing",
        (
            "MySQL's JSON on MariaDB",
            "PreflightError",
            SETUP,
            (".documents: column doc (json): its binary documents", "filters.exclude: ['"),
        ),
        ("MySQL's VECTOR on MariaDB", "PreflightError", SETUP, (".vectors: column v (vector)",)),
        (
            "a collation that MariaDB lacks",
            "PreflightError",
            SETUP,
            (".names: collation utf8mb4_0900_ai_ci, which MariaDB", "lacks"),
        ),
        (
            "a unique key over an expression on MariaDB",
            "PreflightError",
            SETUP,
            (".lowered: unique key k is over an expression",),
        ),
        (
            "a generated column on another server",
            "PreflightError",
            SETUP,
            (".computed: column c (int): the servers' functions",),
        ),
        ("MariaDB's UUID on MySQL", "PreflightError", SETUP, (".uuids: column u (uuid)",)),
        ("MariaDB's INET6 on MySQL", "PreflightError", SETUP, (".nets: column n (inet6)",)),
        (
            "a DECIMAL of more than 30 decimals on MySQL",
            "PreflightError",
            SETUP,
            (".precise: column d (decimal): MySQL's DECIMAL has at most 30",),
        ),
        (
            "a COMPRESSED column on MySQL",
            "PreflightError",
            SETUP,
            (".packed: column v (varchar): MySQL has no COMPRESSED columns",),
        ),
        (
            "an old temporal column on MySQL",
            "PreflightError",
            SETUP,
            (".old: column d (datetime): MySQL has no temporal columns of the old format",),
        ),
        ("a sequence on MySQL", "PreflightError", SETUP, (".numbers: sequences: MySQL has none",)),
        (
            "a system-versioned table on MySQL",
            "PreflightError",
            SETUP,
            (".versions: system versioning: MySQL has none",),
        ),
        (
            "a collation that MySQL lacks",
            "PreflightError",
            SETUP,
            (".ordered: collation utf8mb4_uca1400_ai_ci, which MySQL", "lacks"),
        ),
    ),
    *_rows(
        "target",
        (
            "the user may not apply row events",
            "PreflightError",
            SETUP,
            (
                "'weak'@'%' may not apply row events",
                "GRANT REPLICATION_APPLIER ON *.* TO 'weak'@'%'",
            ),
        ),
        (
            "the user may not keep mysync.*",
            "PreflightError",
            SETUP,
            (
                "'weak'@'%' may not keep the tables mysync.*",
                "GRANT ALL ON mysync.* TO 'weak'@'%'",
            ),
        ),
        (
            "max_allowed_packet is too small",
            "PreflightError",
            SETUP,
            ("max_allowed_packet is 1048576", "SET GLOBAL max_allowed_packet = 16777216"),
        ),
        (
            "values may be converted",
            "PreflightError",
            SETUP,
            ("replica_type_conversions is ALL_LOSSY: values could be converted",),
        ),
        (
            "errors are skipped",
            "PreflightError",
            SETUP,
            ("replica_skip_errors is 1062: duplicate and missing rows would pass unnoticed",),
        ),
        (
            "nobody may write",
            "PreflightError",
            SETUP,
            (
                "super_read_only is ON",
                "SET GLOBAL super_read_only = OFF",
            ),
        ),
        (
            "MariaDB's applier isn't strict",
            "PreflightError",
            SETUP,
            ("slave_exec_mode is IDEMPOTENT", "SET GLOBAL slave_exec_mode = 'STRICT'"),
        ),
        (
            "MariaDB's applier runs triggers",
            "PreflightError",
            SETUP,
            ("slave_run_triggers_for_rbr is YES",),
        ),
        (
            "MariaDB may convert values",
            "PreflightError",
            SETUP,
            ("slave_type_conversions is ALL_LOSSY: values could be converted",),
        ),
        (
            "MariaDB skips errors",
            "PreflightError",
            SETUP,
            ("slave_skip_errors is 1062: duplicate and missing rows would pass unnoticed",),
        ),
        (
            "the tables can only be read",
            "PreflightError",
            SETUP,
            ("innodb_read_only is ON", "restart the target without it"),
        ),
        (
            "the user may not replay row events",
            "PreflightError",
            SETUP,
            (
                "'weak'@'%' may not apply row events",
                "GRANT BINLOG REPLAY ON *.* TO 'weak'@'%'",
            ),
        ),
        (
            "the user may not write the tables by SQL",
            "PreflightError",
            SETUP,
            (
                "'weak'@'%' may not write setup_db.* by SQL: it lacks INSERT, UPDATE, DELETE, TRIG",
                "GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON `setup_db`.* TO 'weak'@'%'",
            ),
        ),
        (
            "a trigger on a table that SQL writes",
            "PreflightError",
            SETUP,
            (
                "trigger doubled on setup_db.t would fire again for what the source's did already",
                "DROP TRIGGER `setup_db`.`doubled`",
            ),
        ),
        (
            "a server that is too old to be a target",
            "PreflightError",
            SETUP,
            ("the target is MariaDB 10.4.30, too old for row events", "10.5.0"),
        ),
    ),
    *_rows(
        "stream",
        (
            "the end of an XA transaction that nobody saw prepared",
            "PreparedRowsUnknown",
            DATA,
            ("XA transaction X'", "its rows were never seen", "binlog.", "Copy the tables"),
        ),
        (
            "a partial JSON update without the whole row before it",
            "MinimalImage",
            DATA,
            (".t", "leaves columns out of its before image", "binlog_row_image=FULL"),
        ),
        (
            "a change of rows logged as a statement",
            "UnsupportedEvent",
            DATA,
            ("INSERT INTO t", "binlog_format=ROW"),
        ),
        (
            "rows that leave columns out",
            "MinimalImage",
            DATA,
            (".t", "leaves columns out", "binlog_row_image=FULL", "binlog.", "under another name"),
        ),
        (
            "rows without column names",
            "UnsupportedEvent",
            DATA,
            (".t", "without column names", "binlog_row_metadata=FULL"),
        ),
        (
            "a table that is renamed out of what is replicated",
            "DdlInStream",
            DATA,
            ("RENAME TABLE t TO", "is replicated", "isn't", "settings under `ddl`"),
        ),
        (
            "a model that isn't replicated",
            "DdlInStream",
            DATA,
            ("CREATE TABLE copied LIKE", "is replicated", "isn't"),
        ),
        (
            "a column that each server fills otherwise",
            "DdlInStream",
            DATA,
            ("ALTER TABLE t ADD", "rows would differ on the target"),
        ),
        (
            "an old temporal column right behind the statement that made it",
            "NotInferable",
            DATA,
            (".old", "d"),
        ),
        (
            "a statement in a character set that can't be read",
            "DdlInStream",
            DATA,
            ("its character set can't be read",),
        ),
        (
            "a table that nobody told us of",
            "UnknownTable",
            DATA,
            (".unseen", "never recorded", "exclude the table"),
        ),
        (
            "a table that was changed unseen",
            "SchemaMismatch",
            DATA,
            (".t", "TABLE_MAP", "disagree", "binlog.", "Begin the pipeline anew"),
        ),
    ),
    *_rows(
        "statements",
        (
            "a statement that fails on the target",
            "StatementFailed",
            DATA,
            (
                "1050",
                "Table 'u' already exists",
                "CREATE TABLE u (id INT PRIMARY KEY, a INT)",
                "mysync-consumer ddl done",
                "mysync-consumer ddl skip",
            ),
        ),
        (
            "a statement of another flavour",
            "StatementRefused",
            DATA,
            ("a statement of mysql is not executed on mariadb", "mysync-consumer ddl done"),
        ),
        (
            "a view where names are changed",
            "StatementRefused",
            DATA,
            ("names can't be changed", "mysync-consumer ddl done"),
        ),
        (
            "a statement that nobody knows the effect of",
            "DdlUndecided",
            DATA,
            ("whether it took effect can't be told", "mysync-consumer ddl retry"),
        ),
        (
            "a definition that differs after a statement",
            "TableDrift",
            DATA,
            ("unique key (a) is on the target only", "Make the two definitions equal"),
        ),
    ),
    *_rows(
        "frames",
        ("an event of unknown type", "UnknownEvent", DATA, ("unknown kind", "120", "binlog.")),
        ("a wrong checksum", "CorruptEvent", DATA, ("checksum is wrong", "binlog.")),
        ("an event shorter than it says", "CorruptEvent", DATA, ("says it has", "came with")),
        ("a packet out of turn", "CorruptEvent", DATA, ("packet number", "was due")),
        ("a packet that is no event", "CorruptEvent", DATA, ("begins with 0x37",)),
        ("garbage instead of a row", "CorruptRow", DATA, (".t", "row 0", "binlog.", "mysqlbinlog")),
        ("a garbled TABLE_MAP", "CorruptTableMap", DATA, ("TABLE_MAP", "binlog.", "mysqlbinlog")),
        ("an INCIDENT", "UnsupportedEvent", DATA, ("INCIDENT", "lost changes")),
        (
            "a half-published transaction is rolled back",
            "TransactionTorn",
            DATA,
            ("ROLLBACK", "committed to Kafka already", ".t"),
        ),
    ),
    *_rows(
        "reading",
        (
            "garbage instead of a row that is read",
            "CorruptResult",
            DATA,
            (".t", "row 0 of the rows read by SELECT", "column", "CHECK TABLE"),
        ),
        (
            "a document whose stored form matters and isn't shown",
            "NotReadable",
            DATA,
            (".t, column j", "DECIMAL", "no key", "Leave the table out"),
        ),
        (
            "the hidden hash of a long unique key",
            "NotReadable",
            DATA,
            (".t, column DB_ROW_HASH_1", "USING HASH", "Leave the table out"),
        ),
    ),
    *_rows(
        "rebuild",
        (
            "a rebuild from topics that never made a table",
            "RebuildRefused",
            SETUP,
            ("the topics don't hold the creation of", ".items", "transfer start"),
        ),
        (
            "a rebuild over what is there",
            "RebuildRefused",
            SETUP,
            ("the target isn't empty: it has", ".items", "drop what the pipeline wrote"),
        ),
        (
            "a rebuild over a checkpoint",
            "RebuildRefused",
            SETUP,
            ("the target knows this pipeline already: mysync.meta, mysync.checkpoint", "DELETE"),
        ),
        (
            "a rebuild from topics whose beginning is gone",
            "RebuildRefused",
            SETUP,
            ("doesn't hold its beginning any more", "partition 0 ", "transfer start"),
        ),
        (
            "a rebuild without the databases",
            "RebuildRefused",
            SETUP,
            ("the topics don't hold the creation of the databases", "create them"),
        ),
        (
            "a rebuild that begins where the target doesn't stand",
            "RebuildRefused",
            SETUP,
            ("tables that the target lacks", ".items", "put a copy there"),
        ),
        (
            "a rebuild of topics that aren't there",
            "RebuildRefused",
            SETUP,
            ("there is nothing to rebuild from", "not created yet"),
        ),
    ),
    *_rows(
        "position",
        (
            "another partition count in the settings",
            "PartitionCountChanged",
            DATA,
            ("has 2 partitions instead of 3",),
        ),
        (
            "a topic with more partitions",
            "PartitionCountChanged",
            DATA,
            ("has 3 partitions instead of 2",),
        ),
        ("a re-created rows topic", "TopicRecreated", DATA, ("isn't the one", ".rows")),
        ("a deleted rows topic", "TopicRecreated", DATA, (".rows is gone",)),
        ("a re-created control topic", "TopicRecreated", DATA, (".control is empty",)),
        ("an emptied state topic", "StateLost", DATA, ("has no state record", ".state")),
        ("a moved position", "PositionMoved", DATA, ("has position 1 ", "the state record")),
        ("a foreign record in the rows topic", "LogHole", DATA, ("isn't ours", ".rows/1")),
        ("a purged binary log", "PositionLost", DATA, ("purged", "restore them")),
        (
            "another server without what was replicated",
            "SourceDiverged",
            DATA,
            ("lacks transactions that were replicated", "Point `source`"),
        ),
        (
            "a server that lost the end of its log",
            "SourceDiverged",
            DATA,
            ("lacks transactions", "Point `source`"),
        ),
        ("other filters within a transaction", "FilterChanged", DATA, ("the filters changed",)),
        ("another mode of schema ids", "ConfigError", SETUP, ("'own'", "can't switch")),
        ("another reader with our identity", "Fenced", OTHER, ("another reader", "server_id")),
        (
            "a place to begin at in a log that isn't there",
            "ConfigError",
            SETUP,
            ("the source has no binary log binlog.999999", "Its logs are", "Nothing was begun"),
        ),
    ),
    *_rows(
        "lost",
        (
            "a log begun anew that is longer than what was read",
            "SourceDiverged",
            DATA,
            ("was begun at 20", "began its log anew (RESET)", "Point `source`"),
        ),
        (
            "a log begun anew with fewer files and more GTIDs",
            "SourceDiverged",
            DATA,
            ("newest log is", "began its log anew (RESET)", "Point `source`"),
        ),
        (
            "a log begun anew with no GTIDs yet",
            "SourceDiverged",
            DATA,
            ("replicated", "It is the server that was read: it began its log anew (RESET)"),
        ),
        (
            "a binary log deleted from the disk",
            "PositionLost",
            DATA,
            ("restore them there",),
        ),
        (
            "a source restored from a backup that has written more since",
            "SourceDiverged",
            DATA,
            ("was begun at 20", "restored from a backup", "Point `source`"),
        ),
    ),
    *_rows(
        "apply",
        (
            "a row is missing on the target",
            "Divergence",
            DATA,
            (".items", "the row isn't there", "Compare the row"),
        ),
        (
            "a row is on the target already",
            "Divergence",
            DATA,
            (".items", "is there already", "Compare the row"),
        ),
        (
            "a table is missing on the target",
            "Drift",
            DATA,
            (".items", "can't be read", "Create it"),
        ),
        (
            "a table that can't roll back",
            "Drift",
            DATA,
            (".items", "MyISAM", "ENGINE=InnoDB"),
        ),
        (
            "a column of another type",
            "TableDrift",
            DATA,
            ("column v: type bigint on the source, int on the target",),
        ),
        ("a column too few", "TableDrift", DATA, ("column v is missing on the target",)),
        ("a unique key too many", "TableDrift", DATA, ("unique key (name)", "on the target only")),
        ("the user may not write the table", "Drift", DATA, (".items", "INSERT, UPDATE")),
        ("a table that another pipeline writes", "TableOwned", SETUP, ("Two pipelines",)),
        (
            "two tables that become one",
            "ConfigError",
            SETUP,
            (".more", "both be written", "rename"),
        ),
        (
            "a checkpoint of another group",
            "GroupConflict",
            SETUP,
            (
                "the consumer group",
                "writes pipeline",
                "to this target, this one is",
                "target.name",
            ),
        ),
        ("tables of another version", "ForeignTables", SETUP, ("mysync.*", "version 99")),
        (
            "a checkpoint that can't be written",
            "ApplyRefused",
            DATA,
            ("error 1644", "not now", "mysync.checkpoint"),
        ),
        ("an emptied checkpoint", "StateLost", DATA, ("no checkpoint of pipeline",)),
        ("a missing record", "LogHole", DATA, ("follows seq", "rebuild")),
        ("a doubled record", "LogHole", DATA, ("the last one applied is", "rebuild")),
        (
            "a partition that doesn't begin at its beginning",
            "LogHole",
            DATA,
            ("isn't the partition's first", "rebuild"),
        ),
        ("deleted records", "RecordsDeleted", DATA, (".rows/0", "retention_ms")),
        ("a record that can't be read", "CorruptEvent", DATA, ("can't be read", ".rows/0, offset")),
        ("a record without a value", "CorruptEvent", DATA, ("can't be read", ".rows/0, offset")),
        ("a row that can't be read", "CorruptRecord", DATA, (".items", "Nothing of it")),
        ("a value that doesn't fit", "UnwritableValue", DATA, ("column small", "300")),
        (
            "a line of a later release",
            "UnsupportedRecord",
            DATA,
            ("'later'", "A release of mysync"),
        ),
        (
            "a row greater than a packet",
            "TooLarge",
            DATA,
            ('.items {"id": 1}', "partition 0 offset", "SET GLOBAL max_allowed_packet"),
        ),
        ("a format of a later release", "PipelineMismatch", DATA, ("their format is 99",)),
        ("another process found a divergence", "StoppedByInstruction", DATA, ("another worker",)),
        ("a topic with another partition", "PartitionCountChanged", DATA, ("partitions",)),
        (
            "topics begun anew",
            "TopicRecreated",
            DATA,
            ("the topics aren't those that this target was written from: they were begun anew",),
        ),
        (
            "a target written from other partitions",
            "PipelineMismatch",
            DATA,
            ("the target was written from 2 partitions, not 1",),
        ),
        ("a rows topic that vanishes", "TopicRecreated", DATA, (".rows is gone",)),
        (
            "a trigger that SQL would fire",
            "UnwritableTable",
            DATA,
            (".items", "trigger doubled on the target would fire again", "drop it there"),
        ),
    ),
)


def rows(theme: str) -> list[Refusal]:
    """The theme's rows, for `parametrize` (ids=str)."""
    return [row for row in TABLE if row.theme == theme]


def row(cause: str) -> Refusal:
    (found,) = [row for row in TABLE if row.cause == cause]
    return found
