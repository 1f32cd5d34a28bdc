"""Where a new pipeline begins, as people write it."""

import json
from pathlib import Path

import pytest

from mysync_runtime.errors import ConfigError
from mysync_runtime.loading import json_schema, load, masked
from mysync_runtime.startpoint import (
    AfterGtids,
    Ago,
    AtPosition,
    AtTime,
    Latest,
    StartPoint,
    parse_start,
)
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import BinlogPosition

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
TEN = 1_764_324_000_000_000  # 2025-11-28T10:00:00Z, µs

POINTS: list[tuple[str, StartPoint]] = [
    ("latest", Latest()),
    ("Latest", Latest()),
    ("binlog.000042:1234", AtPosition(BinlogPosition("binlog.000042", 1234))),
    ("my.log-bin.000001:4", AtPosition(BinlogPosition("my.log-bin.000001", 4))),
    (f"{UUID}:1-77", AfterGtids(GtidSet.parse(f"{UUID}:1-77"))),
    (f"{UUID}:1-77:9:blue:1-3", AfterGtids(GtidSet.parse(f"{UUID}:1-77,{UUID}:blue:1-3"))),
    ("0-1-100", AfterGtids(MariadbGtidSet.parse("0-1-100"))),
    ("0-1-100, 2-7-5", AfterGtids(MariadbGtidSet.parse("0-1-100,2-7-5"))),
    ("2025-11-28T10:00:00Z", AtTime(TEN)),
    ("2025-11-28 11:30:00.25+01:30", AtTime(TEN + 250_000)),
    ("10 minutes ago", Ago(600_000_000)),
    ("2h ago", Ago(7_200_000_000)),
    ("1 day 1.5h ago", Ago(91_800_000_000)),
]


@pytest.mark.parametrize(("text", "point"), POINTS, ids=[text for text, _ in POINTS])
def test_a_place_is_read_and_what_it_is_shown_as_is_the_same_place(
    text: str, point: StartPoint
) -> None:
    assert parse_start(text) == point
    assert parse_start(str(point)) == point


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "may be"),
        ("yesterday", "may be"),
        ("2025-11-28T10:00:00", "no zone"),
        ("2025-13-28T10:00:00Z", "isn't a time"),
        ("1969-11-28T10:00:00Z", "before 1970"),
        ("10 fortnights ago", "isn't a unit"),
        ("500 years ago", "isn't a unit"),
        ("999999 weeks ago", "hundred years"),
        ("ago", "may be"),
        ("binlog.000042:3", "first position is 4"),
        ("binlog.000042:4294967296", "2^32"),
        (f"{UUID}:5-3", "names no transaction"),
        (f"{UUID}:blue", "no intervals"),
        ("0-1-5,0-2-6", "stands twice"),
    ],
)
def test_what_is_no_place_is_refused(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=word.replace("^", r"\^")):
        parse_start(text)


def written(folder: Path, start: str) -> Path:
    path = folder / "mysync.yaml"
    path.write_text(f"pipeline: shop\nsource: {{start: {start}}}\n")
    return path


@pytest.mark.parametrize(
    "start",
    ["2025-11-28T10:00:00Z", "2025-11-28T11:00:00+01:00", "'2025-11-28T10:00:00Z'"],
)
def test_a_time_may_stand_in_the_file_with_quotes_or_without(start: str, tmp_path: Path) -> None:
    assert load(written(tmp_path, start)).source.start == AtTime(TEN)


@pytest.mark.parametrize("start", ["2025-11-28T10:00:00", "2025-11-28", "[1]", "7"])
def test_a_bad_place_in_the_file_is_refused_by_its_name(start: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"source\.start: "):
        load(written(tmp_path, start))


def test_it_is_shown_and_described_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert masked(load(written(tmp_path, "null")))["source"]["start"] is None
    monkeypatch.setenv("MYSYNC_SOURCE__START", "binlog.000007:4")
    shown = masked(load(written(tmp_path, "latest")))["source"]["start"]
    assert shown == "binlog.000007:4"
    described = json.dumps(json_schema()["$defs"]["SourceSettings"]["properties"]["start"])
    assert '"string"' in described
