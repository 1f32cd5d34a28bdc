"""GTID sets without a server: what holds for every set."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas.errors import BadGtid
from mysync_schemas.gtid import GtidSet, MariadbGtidSet

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
B = "4e11fa47-71ca-11e1-9e33-c80aa9429562"
SIDS = st.sampled_from([A, B, f"{A}:blue", f"{A}:_r2", f"{B}:blue"])
GTIDS = st.tuples(SIDS, st.integers(1, 30)).map(lambda part: f"{part[0]}:{part[1]}")
MEMBERS = st.sets(GTIDS, max_size=60)


def holding(members: set[str]) -> GtidSet:
    result = GtidSet()
    for gtid in members:
        result.add(gtid)
    return result


def members_of(gtids: GtidSet) -> set[str]:
    sids = (A, B, f"{A}:blue", f"{A}:_r2", f"{B}:blue")
    return {f"{sid}:{n}" for sid in sids for n in range(1, 31) if gtids.contains(f"{sid}:{n}")}


@given(MEMBERS)
def test_a_set_holds_what_was_added(members: set[str]) -> None:
    assert members_of(holding(members)) == members


@given(MEMBERS)
def test_a_set_is_read_back_from_its_text_and_its_bytes(members: set[str]) -> None:
    gtids = holding(members)
    assert GtidSet.parse(str(gtids)) == gtids
    assert GtidSet.decode(gtids.encode()) == gtids
    assert GtidSet.parse(str(gtids).replace(",", ",\n ").upper()) == gtids


@given(MEMBERS, MEMBERS)
def test_sets_are_joined_and_taken_from_one_another(one: set[str], other: set[str]) -> None:
    a, b = holding(one), holding(other)
    assert a.union(b) == holding(one | other)
    assert a.subtract(b) == holding(one - other)
    assert a.issubset(b) == (one <= other)
    assert b.covers(a) == (one <= other)
    assert a.isempty() == (not one)
    assert (a, b) == (holding(one), holding(other)), "the operands stay as they were"


@given(MEMBERS, GTIDS)
def test_a_copy_goes_its_own_way(members: set[str], gtid: str) -> None:
    gtids = holding(members)
    gtids.copy().add(gtid)
    assert gtids == holding(members)


def test_intervals_that_touch_become_one() -> None:
    assert str(GtidSet.parse(f"{A}:5:1-2:4:3:9")) == f"{A}:1-5:9"


def test_text_is_ordered_by_uuid_then_tag_as_the_server_writes_it() -> None:
    text = f"{B}:1,{A}:zeta:1:alpha:2-3,{A}:7"
    assert str(GtidSet.parse(text)) == f"{A}:7:alpha:2-3:zeta:1,{B}:1"


def test_an_interval_that_ends_before_it_begins_is_empty() -> None:
    assert GtidSet.parse(f"{A}:5-3").isempty()


def test_the_empty_set_has_empty_text_and_eight_zero_bytes() -> None:
    assert (str(GtidSet()), GtidSet().encode()) == ("", bytes(8))
    assert GtidSet.parse(" \n").isempty()


def test_a_set_without_tags_has_the_documented_bytes() -> None:
    expected = struct.pack("<Q", 1) + bytes.fromhex(A.replace("-", ""))
    expected += struct.pack("<Q", 2) + struct.pack("<QQQQ", 1, 6, 8, 9)
    assert GtidSet.parse(f"{A}:1-5:8").encode() == expected


def test_a_set_with_tags_has_the_tagged_bytes_for_all_of_its_members() -> None:
    uuid = bytes.fromhex(A.replace("-", ""))
    expected = b"\x01\x02\x00\x00\x00\x00\x00\x01"
    expected += uuid + b"\x00" + struct.pack("<QQQ", 1, 1, 6)
    expected += uuid + b"\x08blue" + struct.pack("<QQQ", 1, 2, 3)
    assert GtidSet.parse(f"{A}:1-5:blue:2").encode() == expected


@pytest.mark.parametrize(
    "text",
    ["x", A, f"{A}:", f"{A}:0", f"{A}:1-", f"{A}:a-b:1", f"{A}:tag", f"{A}:1:tag", f"{A}:t:u:1",
     f"{A}:9223372036854775807", f"{A}:{'t' * 33}:1", f"{A[:-1]}:1", f"{A}:²"],
)  # fmt: skip
def test_text_that_isnt_a_set_is_refused(text: str) -> None:
    with pytest.raises(BadGtid):
        GtidSet.parse(text)


@pytest.mark.parametrize(
    "text", ["", A, f"{A}:0", f"{A}:1-2", f"{A}:t:u:1", f"{A}:{2**63 - 1}", f"{A}:{'9' * 5000}"]
)
def test_text_that_isnt_one_gtid_is_refused(text: str) -> None:
    gtids = GtidSet.parse(f"{A}:1")
    with pytest.raises(BadGtid):
        gtids.add(text)
    with pytest.raises(BadGtid):
        gtids.contains(text)


@given(MEMBERS, st.data())
def test_bytes_cut_short_are_refused(members: set[str], data: st.DataObject) -> None:
    whole = holding(members).encode()
    with pytest.raises(BadGtid):
        GtidSet.decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(BadGtid):
        GtidSet.decode(whole + b"\0")


@given(st.binary(max_size=80), st.booleans())
def test_garbage_is_refused_or_read_back_alike(data: bytes, tagged: bool) -> None:
    if tagged:
        data = b"\x01\x01\0\0\0\0\0\x01" + data
    try:
        gtids = GtidSet.decode(data)
    except BadGtid:
        return
    assert GtidSet.decode(gtids.encode()) == gtids


MARIADB = st.dictionaries(
    st.integers(0, 2**32 - 1), st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
)


@given(MARIADB)
def test_a_mariadb_position_is_read_back_from_its_text(
    domains: dict[int, tuple[int, int]],
) -> None:
    position = MariadbGtidSet()
    for domain, (server_id, number) in domains.items():
        position.add(f"{domain}-{server_id}-{number}")
    assert MariadbGtidSet.parse(str(position)) == position
    assert position.domains == domains
    assert position.isempty() == (not domains)


def test_a_mariadb_position_holds_all_of_a_domain_up_to_its_number() -> None:
    position = MariadbGtidSet.parse("0-1-5, 3-2-9")
    assert position.contains("0-7-5")
    assert position.contains("3-2-1")
    assert not position.contains("0-1-6")
    assert not position.contains("1-1-1")


def test_a_mariadb_position_covers_what_isnt_further_in_any_domain() -> None:
    position = MariadbGtidSet.parse("0-1-5,3-2-9")
    assert position.covers(MariadbGtidSet())
    assert position.covers(MariadbGtidSet.parse("0-4-5"))
    assert not position.covers(MariadbGtidSet.parse("0-1-5,3-2-10"))
    assert not position.covers(MariadbGtidSet.parse("1-1-1"))
    assert position.covers(position.copy())


def test_another_servers_transaction_moves_its_domain_only() -> None:
    position = MariadbGtidSet.parse("0-1-5,3-2-9")
    position.add("0-2-6")
    assert str(position) == "0-2-6,3-2-9"


@pytest.mark.parametrize(
    "text", ["0-1", "0-1-2-3", "a-1-2", "0--1", "0-1-5,0-2-6", "4294967296-1-1", "0-1-²",
             f"0-1-{2**64}", f"0-1-{'9' * 5000}"],
)  # fmt: skip
def test_text_that_isnt_a_mariadb_position_is_refused(text: str) -> None:
    with pytest.raises(BadGtid):
        MariadbGtidSet.parse(text)
