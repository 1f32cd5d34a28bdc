"""Names of XA transactions, as the binary log has them in three places.

As text they are what both servers write into statements: `X'6162',X'',1`: global and branch part in
hexadecimal, format id. Formats: MySQL source documentation, `XA_prepare_event`; MariaDB source,
`Gtid_log_event`.
"""

import re
import struct

from mysync_runtime.errors import CorruptEvent

__all__ = ["parse_gtid_xid", "parse_xa", "parse_xa_prepare"]

_STATEMENT = re.compile(
    rb"XA (START|END|PREPARE|COMMIT|ROLLBACK) X'((?:[0-9a-f]{2})*)',X'((?:[0-9a-f]{2})*)',"
    rb"(-?\d{1,10})\s*"
    rb"(ONE PHASE)?",
    re.IGNORECASE,
)
_GROUP_COMMIT, _PREPARED = 0x02, 0x40


def parse_xa(sql: bytes) -> tuple[str, str] | None:
    """(verb, name) of a statement about an XA transaction; None for one that can't be read."""
    found = _STATEMENT.fullmatch(sql.strip())
    if found is None:
        return None
    verb, gtrid, bqual, format_id, one_phase = found.groups()
    name = _text(bytes.fromhex(gtrid.decode()), bytes.fromhex(bqual.decode()), int(format_id))
    return (verb + (b" ONE PHASE" if one_phase else b"")).decode().upper(), name


def parse_xa_prepare(body: bytes) -> tuple[bool, str]:
    """XA_PREPARE (38): whether it commits in one phase, and the name."""
    if len(body) < 13:
        raise CorruptEvent("an XA_PREPARE event is too short")
    one_phase, format_id, gtrid, bqual = struct.unpack_from("<BIII", body)
    if 13 + gtrid + bqual > len(body):
        raise CorruptEvent("an XA_PREPARE event is cut short")
    middle = 13 + gtrid
    return bool(one_phase), _text(body[13:middle], body[middle : middle + bqual], format_id)


def parse_gtid_xid(body: bytes) -> str | None:
    """The name in MariaDB's GTID (162) of a transaction that ends prepared; None for any other."""
    flags = body[12]
    if not flags & _PREPARED:
        return None
    at = 21 if flags & _GROUP_COMMIT else 13
    if at + 6 > len(body) or at + 6 + body[at + 4] + body[at + 5] > len(body):
        raise CorruptEvent("the name of an XA transaction in a MariaDB GTID event is cut short")
    middle = at + 6 + body[at + 4]
    format_id = int.from_bytes(body[at : at + 4], "little")
    return _text(body[at + 6 : middle], body[middle : middle + body[at + 5]], format_id)


def _text(gtrid: bytes, bqual: bytes, format_id: int) -> str:
    return f"X'{gtrid.hex()}',X'{bqual.hex()}',{format_id & 0xFFFFFFFF}"
