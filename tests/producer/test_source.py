"""Whether a source still has what follows the committed state."""

from types import SimpleNamespace
from typing import Any

import pytest

from mysync_producer.source import verify_source
from mysync_producer.state import Server, State
from mysync_runtime.errors import PositionLost
from mysync_runtime.lifecycle import Stop
from mysync_schemas.gtid import GtidSet
from states import state_of

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
SERVER = Server(flavor="mysql", identity=UUID)


def source_of(gtids: bool, purged: str) -> Any:
    """A server that purged log.000001."""
    sets = {"gtid_executed": f"{UUID}:1-20", "gtid_purged": purged}
    return SimpleNamespace(
        flavor=SimpleNamespace(is_mariadb=False),
        address="here",
        server=lambda: SERVER,
        uses_gtids=lambda: gtids,
        files=lambda: {"log.000002": 500},
        gtid_set=lambda name: GtidSet.parse(sets[name]),
    )


def read_to(gtids: str | None) -> State:
    return state_of(server=SERVER, pos=400, gtids=gtids)


def test_a_purged_file_that_held_nothing_more_is_no_loss_where_gtids_say_so() -> None:
    state = read_to(f"{UUID}:1-10")
    begin = verify_source(source_of(True, f"{UUID}:1-10"), state, Stop())
    assert str(begin.gtids) == f"{UUID}:1-10"
    with pytest.raises(PositionLost, match="weren't replicated"):
        verify_source(source_of(True, f"{UUID}:1-11"), state, Stop())
    with pytest.raises(PositionLost, match=r"purged log\.000001"):
        verify_source(source_of(False, ""), read_to(None), Stop())
