"""Names on the wire."""

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas.errors import BadName
from mysync_schemas.names import avro_name, avro_names, check_pipeline_name, namespace

NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(["a b", "a-b", "a_b", "a_b_2", "ä", "ö"])


@given(st.lists(NAMES, min_size=1, max_size=12, unique=True))
def test_every_columns_name_is_one_that_avro_takes_and_no_other_columns(names: list[str]) -> None:
    mangled = avro_names(names)
    assert len(set(mangled)) == len(names)
    fields = [{"name": name, "type": "int"} for name in mangled]
    fastavro.parse_schema({"type": "record", "name": "Row", "fields": fields})


@given(st.lists(NAMES, min_size=1, max_size=12, unique=True))
def test_names_that_avro_takes_stay(names: list[str]) -> None:
    for name, mangled in zip(names, avro_names(names), strict=True):
        if avro_name(name) == name:
            assert mangled == name


def test_mangled_names_that_meet_get_their_ordinal() -> None:
    assert avro_names(["a-b", "a b", "c"]) == ("a_b", "a_b_2", "c")
    assert avro_names(["a b", "a_b"]) == ("a_b_1", "a_b")
    assert avro_names(["a_b", "a-b", "a_b_2"]) == ("a_b", "a_b_2_", "a_b_2")
    assert avro_names(["größe", "1st", "名"]) == ("gr__e", "_1st", "_")


def test_a_namespace_has_three_parts_that_avro_takes() -> None:
    assert namespace("p", "my-shop", "line items") == "p.my_shop.line_items"
    assert namespace("p", "1", "a.b") == "p._1.a_b"


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a.b", "ä", "a" * 65, "a\n"])
def test_pipeline_names_that_cant_be_namespaces_are_refused(name: str) -> None:
    with pytest.raises(BadName):
        check_pipeline_name(name)


def test_pipeline_names_may_have_64_characters() -> None:
    assert check_pipeline_name("_" + "a9" * 31 + "Z") == "_" + "a9" * 31 + "Z"
