"""Settings that can't be used are refused before anything is touched, by either service."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from mysync_consumer.cli import app as consumer_app
from mysync_lab.services import Pipeline, Program
from mysync_producer.cli import app
from mysync_runtime.cli import run_app
from refusals import USAGE, Refusal, rows

GOOD: Mapping[str, Any] = {
    "pipeline": "shop",
    "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
    "source": {"host": "127.0.0.1"},
    "target": {"host": "127.0.0.1"},
}


def broken(**sections: Any) -> str:
    return yaml.safe_dump(dict(GOOD) | sections)


FILES: Mapping[str, Callable[[], str | None]] = {
    "an unknown key": lambda: broken(kafka={"bootstrap_server": ["x:1"]}),
    "an unknown section": lambda: broken(filter={"include": ["shop.*"]}),
    "a pipeline name that can't be a namespace": lambda: broken(pipeline="my-shop"),
    "no pipeline name": lambda: yaml.safe_dump({k: v for k, v in GOOD.items() if k != "pipeline"}),
    "a missing section": lambda: yaml.safe_dump({k: v for k, v in GOOD.items() if k != "source"}),
    "a key given twice": lambda: "source: {host: a, host: b}\n",
    "a file that isn't YAML": lambda: "pipeline: shop\n  source: [",
    "no settings file": lambda: None,
    "a misspelt variable": broken,
    "a property of Kafka that exactly-once rests on": lambda: broken(
        kafka={"properties": {"enable.idempotence": False}}
    ),
    "a property that librdkafka doesn't know": lambda: broken(
        kafka={"properties": {"no.such.property": 1}}
    ),
    "a filter that isn't database.table": lambda: broken(filters={"include": ["shop"]}),
    "a watermark that would be replicated": lambda: broken(
        filters={"include": ["shop.*"]}, transfer={"watermark_table": "shop.marks"}
    ),
    "a secret's file that isn't there": lambda: broken(source={"password_file": "/nowhere/at/all"}),
    "a time to begin at without its zone": lambda: broken(source={"start": "2026-11-28T10:00:00"}),
    "a place to begin at that is none": lambda: broken(source={"start": "yesterday"}),
    "more replicas in sync than replicas": lambda: broken(topics={"min_insync_replicas": 2}),
}
VARIABLES = {"a misspelt variable": {"MYSYNC_SUORCE__HOST": "db"}}


@pytest.mark.parametrize("row", rows("settings"), ids=str)
def test_settings_that_can_not_be_used(
    row: Refusal,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within this process: what a process adds is the same for all, and takes seconds each."""
    config = tmp_path / "mysync.yaml"
    content = FILES[row.cause]()
    if content is not None:
        config.write_text(content)
    for name, value in VARIABLES.get(row.cause, {}).items():
        monkeypatch.setenv(name, value)
    code = run_app(app, ["check", "--config", str(config)])
    said = capsys.readouterr()
    row.check(code, said.err)
    assert said.out == ""


@pytest.mark.parametrize("program", ["mysync-producer", "mysync-consumer"])
def test_a_process_ends_with_the_exit_code_and_one_paragraph(
    program: Program, tmp_path: Path
) -> None:
    pipeline = Pipeline(tmp_path, {"pipeline": "shop", "kafka": {"bootstrap_server": ["x:1"]}})
    code, out, said = pipeline.run(program, "run")
    rows("settings")[0].check(code, said)
    assert out == ""


@pytest.mark.parametrize("app", [app, consumer_app], ids=lambda app: app.info.name)
def test_wrong_usage_is_told_with_exit_code_2(
    app: typer.Typer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(app, ["run", "--no-such-option"]) == USAGE
    assert "--no-such-option" in capsys.readouterr().err
