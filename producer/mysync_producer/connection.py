"""Opens a binary log dump.

mysql-replication connects, authenticates, negotiates and registers; the dump command is ours: its
own refuses tagged GTIDs and can't name a position past 4 GiB. The library writes its command last,
on the connection that we give it; that connection sends ours in its place.
"""

import struct
from dataclasses import dataclass
from typing import Any

import pymysql.err
from pymysqlreplication import BinLogStreamReader

from mysync_producer.stream import BinlogStream, refusal
from mysync_runtime import mysql
from mysync_runtime.errors import ConnectionLost, MysyncError
from mysync_runtime.settings import SourceSettings
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import FIRST, BinlogPosition

__all__ = ["DumpFrom", "Identity", "dump_command", "open_dump"]

_COM_BINLOG_DUMP = 0x12
_COM_BINLOG_DUMP_GTID = 0x1E
_THROUGH_GTID = 0x04  # begin after this GTID set, not at a position

# Seconds of silence that make a link dead: this many heartbeats, and not less than the second.
_LIVENESS_HEARTBEATS = 10
_LIVENESS_LEAST = 5.0


@dataclass(frozen=True)
class Identity:
    """What this pipeline presents itself as: stable, so that the server ends our own zombies."""

    server_id: int
    replica_uuid: str
    pipeline: str


@dataclass(frozen=True)
class DumpFrom:
    """Where a dump begins: after a GTID set, or, without one, at a position."""

    position: BinlogPosition
    gtids: GtidSet | MariadbGtidSet | None


def dump_command(start: DumpFrom, server_id: int) -> bytes:
    """COM_BINLOG_DUMP or COM_BINLOG_DUMP_GTID with its packet header (sequence number 0).

    Manual: "COM_BINLOG_DUMP_GTID"; MariaDB knowledge base: "COM_BINLOG_DUMP" (there the GTIDs are
    said in a session variable, and file name and position stay empty).
    """
    match start.gtids:
        case GtidSet() as gtids:
            data = gtids.encode()
            payload = (
                struct.pack(
                    "<BHIIQI", _COM_BINLOG_DUMP_GTID, _THROUGH_GTID, server_id, 0, FIRST, len(data)
                )
                + data
            )
        case MariadbGtidSet():
            payload = struct.pack("<BIHI", _COM_BINLOG_DUMP, FIRST, 0, server_id)
        case None:
            position = start.position
            payload = (
                struct.pack("<BIHI", _COM_BINLOG_DUMP, position.pos, 0, server_id)
                + position.file.encode()
            )
    return struct.pack("<I", len(payload)) + payload


def open_dump(settings: SourceSettings, start: DumpFrom, identity: Identity) -> BinlogStream:
    """Connects and asks for the dump.

    Raises ConnectionLost, CredentialsError; what the server holds against the position itself
    (PositionLost, SourceDiverged, Fenced) is said by the first `read`.
    """
    command = dump_command(start, identity.server_id)
    connections: list[_DumpConnection] = []

    def connect(**arguments: Any) -> _DumpConnection:
        connection = _DumpConnection(**arguments)
        connections.append(connection)
        _negotiate(connection, start)
        connection.dump_command = command
        return connection

    reader = BinLogStreamReader(
        mysql.arguments_of(settings),
        identity.server_id,
        blocking=True,
        resume_stream=True,
        # Only so that it doesn't ask the server for them: its dump command isn't sent.
        log_file="-",
        log_pos=FIRST,
        slave_uuid=identity.replica_uuid,
        slave_heartbeat=settings.heartbeat_seconds,
        report_slave=f"mysync-{identity.pipeline}"[:60],
        pymysql_wrapper=connect,
        enable_logging=False,
    )
    try:
        reader._BinLogStreamReader__connect_to_stream()
        sock = connections[0].release()
    except (pymysql.err.Error, OSError) as error:
        for connection in connections:
            connection.force_close()
        raise _refused(error, settings.address) from error
    return BinlogStream(
        sock,
        patience=settings.read_timeout,
        liveness=min(
            settings.read_timeout,
            max(_LIVENESS_LEAST, _LIVENESS_HEARTBEATS * settings.heartbeat_seconds),
        ),
    )


def _negotiate(connection: "_DumpConnection", start: DumpFrom) -> None:
    """What the library leaves out, or does only when global variables say so."""
    with connection.cursor() as cursor:
        # Without it a server whose files hold checksums refuses (1236), whatever its variables say.
        cursor.execute("SET @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32'")
        if isinstance(start.gtids, MariadbGtidSet):
            cursor.execute("SET @slave_connect_state = %s", (str(start.gtids),))
            cursor.execute("SET @slave_gtid_strict_mode = 1, @slave_gtid_ignore_duplicates = 0")


class _DumpConnection(mysql.Client):
    """Sends `dump_command` where the library would send its own."""

    dump_command = b""

    def _write_bytes(self, data: bytes) -> None:
        # Commands have sequence number 0, so no answer to an authentication request is mistaken.
        if self.dump_command and len(data) > 4 and data[3] == 0 and data[4] == _COM_BINLOG_DUMP:
            data = self.dump_command
        super()._write_bytes(data)  # type: ignore[misc]  # private, not in the stubs

    def release(self) -> Any:
        """The socket; this connection won't close it any more. Its buffer is empty: every answer
        before the dump command was read to its end."""
        sock, reader = self.__dict__.get("_sock"), self.__dict__.get("_rfile")
        if sock is None or reader is None:
            raise ConnectionLost("the connection broke before the dump began")
        reader.close()
        self.__dict__.update(_sock=None, _rfile=None)
        return sock

    def force_close(self) -> None:
        """Without the good-bye that a broken connection would wait for."""
        sock = self.__dict__.get("_sock")
        if sock is not None:
            sock.close()
        self.__dict__.update(_sock=None, _rfile=None)


def _refused(error: BaseException, address: str) -> MysyncError:
    code = mysql.code_of(error)
    if code == 1236:
        return refusal(code, str(error.args[1]), address)
    return mysql.error_of(error, "open the binary log stream", address)
