"""The transcoder, twice: as the import finds it (compiled, where it was) and as plain Python."""

from collections.abc import Iterator
from types import ModuleType

import pytest

import mysync_producer
from binlog_rows import Source
from mysync_lab.sql import SqlServer
from mysync_producer import rowcodec as imported
from pure import is_compiled, load_pure

NAMES = (
    *("purebuffer", "rowbuffer", "rowimage", "rowtext", "rowtemporal", "rowkey"),
    *("rowcompressed", "rowoldtemporal", "rowplan"),
    "rowcodec",
)
_pure: dict[str, ModuleType] = {}


def pure_rowcodec() -> ModuleType:
    if not _pure:
        _pure.update(load_pure(mysync_producer, *NAMES))
    return _pure["rowcodec"]


SELECT_NAMES = ("selectjson", "selectvalues", "selecttemporal", "selectplan", "selectimage")


@pytest.fixture(scope="session")
def pure_images() -> ModuleType:
    """`selectimage` as plain Python."""
    return load_pure(mysync_producer, *NAMES[:-1], *SELECT_NAMES)["selectimage"]


@pytest.fixture(scope="session", params=["compiled", "pure"])
def rowcodec(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "pure":
        return pure_rowcodec()
    if not is_compiled(imported):
        pytest.skip("nothing is compiled here")
    return imported


@pytest.fixture(scope="module", params=["mysql_a", "mariadb_a"])
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """A database of the module's own on MySQL, then on MariaDB."""
    server: SqlServer = request.getfixturevalue(request.param)
    module = request.module.__name__.rpartition(".")[2]
    source = Source(server, f"transcode_{module}")
    yield source
    source.close()


@pytest.fixture(scope="module")
def mysql_source(mysql_a: SqlServer, request: pytest.FixtureRequest) -> Iterator[Source]:
    module = request.module.__name__.rpartition(".")[2]
    source = Source(mysql_a, f"transcode_only_{module}")
    yield source
    source.close()


@pytest.fixture(scope="module")
def mariadb_source(mariadb_a: SqlServer, request: pytest.FixtureRequest) -> Iterator[Source]:
    module = request.module.__name__.rpartition(".")[2]
    source = Source(mariadb_a, f"transcode_only_{module}")
    yield source
    source.close()
