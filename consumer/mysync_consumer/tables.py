"""The tables `mysync.*` that the consumer keeps on the target, beside the rows it writes there.

They live on the target because what they say must commit with the rows (`checkpoint`), outlive
every process (`instruction`, `table_state`, `errors`) or be seen by all of them (`owned_table`,
`meta`). Every
primary key begins with the pipeline, so several pipelines may share a target; only the tables they
write may not be shared, which `owned_table`'s second key enforces.

The row of partition -1 in `checkpoint` belongs to the control owner: it is claimed and fenced like
a partition's, and advances nothing.

A crash between two of these statements leaves some tables absent; every start creates what is
missing."""

from pymysql.cursors import Cursor

from mysync_consumer.errors import ForeignTables
from mysync_runtime.mysql import Connection

DATABASE = "mysync"
VERSION = 2
CONTROL_PARTITION = -1

_PIPELINE = "pipeline VARCHAR(64) NOT NULL"
_COMMENT = f"mysync, version {VERSION}"
_OPTIONS = f"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='{_COMMENT}'"

DEFINITIONS: dict[str, str] = {
    "meta": f"""(
        {_PIPELINE},
        name VARCHAR(64) NOT NULL COMMENT 'version, uuid, group, partitions, topic_id_*',
        value TEXT NOT NULL,
        PRIMARY KEY (pipeline, name)
    ) {_OPTIONS}""",
    "checkpoint": f"""(
        {_PIPELINE},
        partition_id INT NOT NULL COMMENT '-1: the control owner',
        next_offset BIGINT NOT NULL COMMENT 'first record of the rows topic not yet applied',
        frontier BIGINT NOT NULL COMMENT 'all of its records with seq <= this are applied',
        last_seq BIGINT NOT NULL COMMENT 'seq of the last record applied or skipped',
        file VARCHAR(512) NOT NULL DEFAULT '' COMMENT 'source binlog of that record',
        pos BIGINT NOT NULL DEFAULT 0,
        gtid VARCHAR(255) NULL,
        source_ts DATETIME(6) NULL COMMENT 'UTC',
        epoch BIGINT NOT NULL DEFAULT 0 COMMENT 'one more with every claim',
        control_version BIGINT NOT NULL DEFAULT 0 COMMENT 'last instruction seen or waiting',
        owner VARCHAR(255) NULL,
        connection_id BIGINT UNSIGNED NULL,
        updated_at DATETIME(6) NULL COMMENT 'UTC, the target''s clock',
        PRIMARY KEY (pipeline, partition_id)
    ) {_OPTIONS}""",
    "line": f"""(
        {_PIPELINE},
        id BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        action VARCHAR(64) NOT NULL,
        state VARCHAR(16) NOT NULL,
        updated_at DATETIME(6) NULL,
        PRIMARY KEY (pipeline, id)
    ) {_OPTIONS}""",
    "instruction": f"""(
        {_PIPELINE},
        version BIGINT NOT NULL COMMENT 'the control_version it made',
        action VARCHAR(32) NOT NULL,
        m BIGINT NOT NULL COMMENT 'greatest frontier when it was written',
        detail LONGTEXT NOT NULL COMMENT 'JSON',
        created_by VARCHAR(255) NOT NULL,
        created_at DATETIME(6) NOT NULL,
        PRIMARY KEY (pipeline, version)
    ) {_OPTIONS}""",
    "ddl_log": f"""(
        {_PIPELINE},
        id BIGINT NOT NULL,
        seq BIGINT NOT NULL COMMENT 'of its line',
        state VARCHAR(16) NOT NULL COMMENT 'started, failed, done, skipped; by hand: done, skip',
        way VARCHAR(8) NULL COMMENT 'what tells whether it took effect: gtid, lock',
        statement LONGBLOB NOT NULL,
        fingerprint LONGTEXT NULL COMMENT 'JSON: what it may change, as that was before it',
        error TEXT NULL,
        started_at DATETIME(6) NULL COMMENT 'UTC',
        done_at DATETIME(6) NULL,
        PRIMARY KEY (pipeline, id)
    ) {_OPTIONS}""",
    "table_state": f"""(
        {_PIPELINE},
        db VARCHAR(64) NOT NULL,
        tbl VARCHAR(64) NOT NULL,
        state VARCHAR(32) NOT NULL COMMENT 'quarantined, transferring',
        m BIGINT NULL COMMENT 'greatest frontier when it was set aside',
        reason TEXT NULL,
        detail LONGTEXT NULL COMMENT 'JSON: the error, its place, the event',
        resync_only TEXT NULL COMMENT 'why its rows alone can''t bring it back',
        since DATETIME(6) NULL,
        updated_at DATETIME(6) NULL,
        PRIMARY KEY (pipeline, db, tbl)
    ) {_OPTIONS}""",
    "skipped": f"""(
        {_PIPELINE},
        db VARCHAR(64) NOT NULL,
        tbl VARCHAR(64) NOT NULL,
        partition_id INT NOT NULL,
        first_offset BIGINT NOT NULL COMMENT 'first record of the table not applied',
        first_seq BIGINT NOT NULL,
        file VARCHAR(512) NOT NULL,
        pos BIGINT NOT NULL,
        gtid VARCHAR(255) NULL,
        since DATETIME(6) NOT NULL,
        PRIMARY KEY (pipeline, db, tbl, partition_id)
    ) {_OPTIONS}""",
    "cut": f"""(
        {_PIPELINE},
        version BIGINT NOT NULL COMMENT 'of its instruction',
        m BIGINT NOT NULL COMMENT 'greatest frontier: it holds at a heartbeat behind it',
        asked_by VARCHAR(255) NOT NULL,
        asked_at DATETIME(6) NOT NULL COMMENT 'UTC, the target''s clock',
        expires_at DATETIME(6) NOT NULL,
        released_at DATETIME(6) NULL,
        PRIMARY KEY (pipeline, version)
    ) {_OPTIONS}""",
    "standing": f"""(
        {_PIPELINE},
        version BIGINT NOT NULL COMMENT 'of the cut',
        partition_id INT NOT NULL,
        seq BIGINT NOT NULL COMMENT 'of the heartbeat: all before it is applied, nothing behind',
        file VARCHAR(512) NOT NULL COMMENT 'the source''s position there',
        pos BIGINT NOT NULL,
        gtid_set LONGTEXT NULL,
        since DATETIME(6) NOT NULL,
        PRIMARY KEY (pipeline, version, partition_id)
    ) {_OPTIONS}""",
    "errors": f"""(
        {_PIPELINE},
        id BIGINT NOT NULL AUTO_INCREMENT,
        partition_id INT NOT NULL,
        record_offset BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        db VARCHAR(64) NOT NULL,
        tbl VARCHAR(64) NOT NULL,
        error_code INT NOT NULL,
        error_message TEXT NOT NULL,
        report LONGTEXT NOT NULL COMMENT 'JSON: the event, and what the target holds',
        created_at DATETIME(6) NOT NULL,
        PRIMARY KEY (pipeline, id),
        KEY (id)
    ) {_OPTIONS}""",
    "owned_table": f"""(
        {_PIPELINE},
        db VARCHAR(64) NOT NULL,
        tbl VARCHAR(64) NOT NULL,
        since DATETIME(6) NOT NULL,
        PRIMARY KEY (pipeline, db, tbl),
        UNIQUE KEY one_pipeline_writes_it (db, tbl)
    ) {_OPTIONS}""",
}


def create(connection: Connection, pipeline: str) -> None:
    """Creates the database and the tables that are missing, and checks the version of those that
    aren't.

    Raises ForeignTables when another version of mysync made them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, table_comment FROM information_schema.tables"
            " WHERE table_schema = %s",
            (DATABASE,),
        )
        present = {str(name): str(comment) for name, comment in cursor.fetchall()}
        for name in DEFINITIONS:
            if present.get(name, _COMMENT) != _COMMENT:
                raise ForeignTables(present[name].rpartition(" ")[2] or "1", VERSION)
        for statement in statements(set(present)):
            cursor.execute(statement)
        cursor.execute(
            f"INSERT IGNORE INTO {DATABASE}.meta (pipeline, name, value)"
            " VALUES (%s, 'version', %s)",
            (pipeline, str(VERSION)),
        )
        cursor.execute(
            f"SELECT value FROM {DATABASE}.meta WHERE pipeline = %s AND name = 'version'",
            (pipeline,),
        )
        row = cursor.fetchone()
    connection.commit()
    found = row[0] if row else "none"
    if found != str(VERSION):
        raise ForeignTables(found, VERSION)


def existing(cursor: Cursor) -> set[str]:
    cursor.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", (DATABASE,)
    )
    return {str(row[0]) for row in cursor.fetchall()}


def statements(present: set[str]) -> list[str]:
    """What must run so that all tables exist; nothing when they do (no DDL in the target's
    binlog)."""
    missing = [name for name in DEFINITIONS if name not in present]
    if not missing:
        return []
    return [f"CREATE DATABASE IF NOT EXISTS {DATABASE}"] + [
        f"CREATE TABLE IF NOT EXISTS {DATABASE}.{name} {DEFINITIONS[name]}" for name in missing
    ]
