"""What a line looks like, and what never appears in one."""

import json
import logging

import pytest

from mysync_runtime import log


def test_a_line_is_json_with_what_was_bound(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(service="consumer", pipeline="shop")
    log.get_logger("worker", partition=3).warning("behind", lag=1.5)
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "behind",
        "level": "warning",
        "service": "consumer",
        "pipeline": "shop",
        "component": "worker",
        "partition": 3,
        "lag": 1.5,
    }


def test_a_level_hides_what_lies_below(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", service="consumer")
    logger = log.get_logger()
    logger.info("hidden")
    logger.warning("shown")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["shown"]


def test_the_console_form_is_for_people_and_shows_no_local_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure(format="console", service="consumer")
    password = "s3cret"
    try:
        raise ValueError(len(password))
    except ValueError:
        log.get_logger().exception("broke")
    text = capsys.readouterr().err
    assert "broke" in text
    assert "Traceback" in text
    assert "s3cret" not in text.replace('password = "s3cret"', "")


def test_lines_of_libraries_take_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(service="producer", pipeline="shop")
    logging.getLogger("librdkafka.test").error("broker %d is down", 1)
    logging.getLogger("librdkafka.test").info("chatter")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["pipeline"]) == ("broker 1 is down", "error", "shop")


def test_a_line_that_repeats_is_let_through_once() -> None:
    repeats = log.RepeatFilter(seconds=60)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "broker 1 down after %d ms", (1,), None)
    again = logging.LogRecord("x", logging.ERROR, "", 0, "broker 1 down after %d ms", (22,), None)
    other = logging.LogRecord("x", logging.ERROR, "", 0, "authentication failed", (), None)
    assert [repeats.filter(r) for r in (record, again, other, other)] == [True, False, True, False]


def test_a_line_is_let_through_again_after_a_while() -> None:
    repeats = log.RepeatFilter(seconds=0)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "down", (), None)
    assert repeats.filter(record)
    assert repeats.filter(record)
