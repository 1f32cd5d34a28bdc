"""Row images, twice: by the modules as the import finds them (compiled, where they were) and as
plain Python; on MySQL and on MariaDB."""

from collections.abc import Iterator

import pytest

import mysync_consumer
from image_rig import Hot, Target
from mysync_consumer import rowevents, rowimage, rowread, rowvalues
from pure import is_compiled, load_pure

# In the order of their imports.
NAMES = ("imagebuffer", "rowread", "rowvalues", "rowcompressed", "writers", "rowimage", "rowevents")
_pure: list[Hot] = []


def pure_hot() -> Hot:
    if not _pure:
        found = load_pure(mysync_consumer, *NAMES)
        _pure.append(
            Hot(found["rowread"], found["rowimage"], found["rowevents"], found["rowvalues"])
        )
    return _pure[0]


@pytest.fixture(scope="module", params=["compiled", "pure"])
def hot(request: pytest.FixtureRequest) -> Hot:
    if request.param == "pure":
        return pure_hot()
    if not is_compiled(rowimage):
        pytest.skip("nothing is compiled here")
    return Hot(rowread, rowimage, rowevents, rowvalues)


@pytest.fixture(scope="module", params=["mysql_b", "mariadb_a"])
def target(request: pytest.FixtureRequest, hot: Hot) -> Iterator[Target]:
    module = request.module.__name__.rpartition(".")[2]
    target = Target(request.getfixturevalue(request.param), f"images_{module}", hot)
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
