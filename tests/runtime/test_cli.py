"""The command line's shared part, as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROGRAM = """
import sys
from mysync_runtime import cli
from mysync_runtime.errors import LogHole
from mysync_runtime.log import get_logger
app = cli.new_app("mysync-test", "A service for tests.")
@app.command()
def run(config: cli.ConfigOption = None) -> None:
    '''Runs.'''
    settings = cli.start(config, "producer", "producer")
    get_logger("main").info("started", partition=3)
    raise LogHole("seq 7 is missing", where=f"{settings.rows_topic}/3@12")
sys.exit(cli.run_app(app))
"""


def mysync(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "mysync.yaml"
    path.write_text("pipeline: shop\nkafka: {}\nsource: {password: s3cret}\n")
    return str(path)


def test_config_show_prints_what_is_in_force_without_secrets(config: str) -> None:
    shown = mysync("config", "show", "-c", config, MYSYNC_TOPICS__PARTITIONS="4")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "s3cret" not in shown.stdout
    settings = yaml.safe_load(shown.stdout)
    assert settings["topics"]["partitions"] == 4
    assert settings["source"]["password"] == "**********"
    as_json = mysync("config", "show", "--json", MYSYNC_CONFIG=config)
    assert json.loads(as_json.stdout)["pipeline"] == "shop"


def test_config_schema_is_a_json_schema() -> None:
    schema = json.loads(mysync("config", "schema").stdout)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["pipeline"]


@pytest.mark.parametrize("arguments", [["nonsense"], ["config", "show", "--wrong"], ["config"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    ended = mysync(*arguments)
    assert ended.returncode == 2
    assert "Usage:" in ended.stderr + ended.stdout


def test_help_is_no_error() -> None:
    ended = mysync("--help")
    assert ended.returncode == 0
    assert "A service for tests." in ended.stdout


def test_version_is_data_on_stdout() -> None:
    ended = mysync("version")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("mysync-test ")


def test_a_refusal_is_one_paragraph_with_its_exit_code_and_logs_are_json(config: str) -> None:
    ended = mysync("run", "-c", config)
    assert (ended.returncode, ended.stdout) == (4, "")
    line, paragraph = ended.stderr.splitlines()
    logged = json.loads(line)
    assert logged | {"timestamp": ""} == {
        "service": "producer",
        "pipeline": "shop",
        "component": "main",
        "event": "started",
        "partition": 3,
        "level": "info",
        "timestamp": "",
    }
    assert paragraph.startswith("mysync: LogHole: seq 7 is missing (at shop.rows/3@12). ")


def test_wrong_settings_are_exit_code_3(config: str) -> None:
    ended = mysync("run", "-c", config, MYSYNC_SOURCE__PORT="x")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "source.port" in ended.stderr
    assert "Traceback" not in ended.stderr
