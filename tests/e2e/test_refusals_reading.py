"""What stops the reading of a table's rows by SELECT. Asked of the reader itself: a process says of
an error what is said here, and no sound server sends damaged rows."""

import pytest

from binlog_rows import Source
from mysync_producer.rowerrors import CorruptResult, NotReadable
from mysync_producer.selectimage import RowImages
from mysync_producer.selectlist import select_list
from mysync_runtime.errors import MysyncError
from producer.select_rig import selected
from refusals import Refusal, row, rows

CAUSES = [each.cause for each in rows("reading")]


def damaged(source: Source) -> None:
    images = RowImages(source.describe("t"), mariadb=source.mariadb)
    images.put(b"\x011\x03abc", 0, 6)


def shown(source: Source) -> None:
    selected(source, source.describe("t"))


def listed(source: Source) -> None:
    select_list(source.describe("t"), mariadb=source.mariadb)


@pytest.mark.parametrize("refusal", rows("reading"), ids=str)
def test_what_can_not_be_read_is_refused(
    mysql_source: Source, mariadb_source: Source, refusal: Refusal
) -> None:
    provoke = {
        row(CAUSES[0]): (damaged, mysql_source, "(id INT PRIMARY KEY, a INT)"),
        row(CAUSES[1]): (shown, mysql_source, "(j JSON)"),
        row(CAUSES[2]): (listed, mariadb_source, "(id INT PRIMARY KEY, a TEXT UNIQUE)"),
    }
    read, source, columns = provoke[refusal]
    source.sql("DROP TABLE IF EXISTS t", f"CREATE TABLE t {columns}")
    if read is shown:
        source.sql("INSERT INTO t VALUES (JSON_ARRAY(1.5))")
    with pytest.raises((CorruptResult, NotReadable)) as raised:
        read(source)
    error = raised.value
    assert isinstance(error, MysyncError)
    refusal.check(error.exit_code, f"mysync: {error.label}: {error}")
