"""The state record of an earlier release, and what a stream knows of its files."""

import json

import pytest

from mysync_producer.state import Learning, Server, State
from mysync_producer.transaction import SourceTransaction, TakenBack
from mysync_schemas.position import BinlogPosition
from states import state_of


def test_a_record_from_before_files_were_known_is_read() -> None:
    raw = json.loads(state_of(pos=400).encode())
    assert "log_created" not in raw
    state = State.decode(json.dumps(raw).encode(), "here")
    assert state.log_created == 0


def test_a_record_says_when_its_file_was_begun() -> None:
    state = state_of(log_created=1_700_000_000)
    assert State.decode(state.encode(), "here").log_created == 1_700_000_000


def test_the_file_that_is_told_is_the_one_of_the_boundary() -> None:
    """A ROTATE moves the boundary before the next file has said when it was begun."""
    transaction = SourceTransaction(BinlogPosition("log.000001", 400), None, TakenBack())
    assert transaction.created_or("log.000001", 7) == 7
    transaction.rotate("log.000001", 400)
    transaction.describe(7)
    assert transaction.created_or("log.000001", 0) == 7
    transaction.rotate("log.000002", 4)
    transaction.move(BinlogPosition("log.000002", 4))
    assert transaction.created_or("log.000001", 7) == 0
    transaction.describe(9)
    assert transaction.created_or("log.000001", 7) == 9


def test_what_another_server_says_of_its_file_is_not_said_of_ours() -> None:
    transaction = SourceTransaction(
        BinlogPosition("log.000001", 400), None, TakenBack(), foreign=True
    )
    transaction.rotate("log.000001", 4)
    transaction.describe(9)
    assert transaction.created_or("log.000001", 7) == 7
    transaction.move(BinlogPosition("log.000001", 200))
    assert transaction.created_or("log.000001", 7) == 9


@pytest.mark.parametrize(
    ("renames", "anchor"),
    [
        ([], ("d", "a")),
        ([(("d", "a"), ("d", "b"))], ("d", "b")),
        (
            [(("d", "a"), ("d", "x")), (("d", "b"), ("d", "a")), (("d", "x"), ("d", "b"))],
            ("d", "b"),
        ),
        ([(("d", "c"), ("d", "e"))], ("d", "a")),
    ],
)
def test_what_unknown_tables_are_joined_with_keeps_its_name(
    renames: list[tuple[tuple[str, str], tuple[str, str]]], anchor: tuple[str, str]
) -> None:
    server = Server(flavor="mariadb", identity="s")
    learning = Learning(server=server, file="log.000001", pos=4, anchor=("d", "a"))
    assert learning.renamed(renames).anchor == anchor
