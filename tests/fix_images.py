"""Row images, twice: by the modules as the import finds them (compiled, where they were) and as
plain Python; on MySQL and on MariaDB; given to the server as row events or as SQL."""

from collections.abc import Iterator

import pytest

import mysync_consumer
from image_rig import Hot, Target
from mysync_consumer import rowevents, rowimage, rowread, rowvalues
from pure import is_compiled, load_pure
from sql_rig import SqlTarget

# In the order of their imports.
NAMES = (
    *("imagebuffer", "rowread", "rowvalues", "rowcompressed", "rowtemporal", "rowoldtemporal"),
    *("writers", "rowimage", "rowevents"),
)
_pure: list[Hot] = []


def pure_hot() -> Hot:
    if not _pure:
        found = load_pure(mysync_consumer, *NAMES)
        _pure.append(
            Hot(found["rowread"], found["rowimage"], found["rowevents"], found["rowvalues"])
        )
    return _pure[0]


def imported() -> Hot:
    """As the import finds them."""
    return Hot(rowread, rowimage, rowevents, rowvalues)


@pytest.fixture(scope="module", params=["compiled", "pure"])
def hot(request: pytest.FixtureRequest) -> Hot:
    if request.param == "pure":
        return pure_hot()
    if not is_compiled(rowimage):
        pytest.skip("nothing is compiled here")
    return imported()


@pytest.fixture(scope="module", params=["mysql_b", "mariadb_a", "mysql_b-sql", "mariadb_a-sql"])
def target(request: pytest.FixtureRequest, hot: Hot) -> Iterator[Target]:
    """Takes rows by row events, or by SQL."""
    module = request.module.__name__.rpartition(".")[2]
    name, _, sql = request.param.partition("-")
    kind = SqlTarget if sql else Target
    target = kind(request.getfixturevalue(name), f"images_{module}", hot)
    yield target
    target.close()


@pytest.fixture(scope="module", params=["mysql_b", "mariadb_a"])
def row_events_target(request: pytest.FixtureRequest, hot: Hot) -> Iterator[Target]:
    """Takes rows by row events only."""
    module = request.module.__name__.rpartition(".")[2]
    target = Target(request.getfixturevalue(request.param), f"images_events_{module}", hot)
    yield target
    target.close()


@pytest.fixture(scope="module")
def mysql_target(request: pytest.FixtureRequest, hot: Hot) -> Iterator[Target]:
    module = request.module.__name__.rpartition(".")[2]
    target = Target(request.getfixturevalue("mysql_b"), f"images_only_{module}", hot)
    yield target
    target.close()


@pytest.fixture(scope="module")
def mariadb_target(request: pytest.FixtureRequest, hot: Hot) -> Iterator[Target]:
    module = request.module.__name__.rpartition(".")[2]
    target = Target(request.getfixturevalue("mariadb_a"), f"images_only_{module}", hot)
    yield target
    target.close()
