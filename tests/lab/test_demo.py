"""`make demo` as its user sees it: its output, its last word, its exit code, and what is left."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from mysync_lab.demo.measure import ServiceState, Snapshot
from mysync_lab.demo.scenario import Story, play
from mysync_lab.demo.view import LiveView, PlainView, draw
from mysync_lab.kafka import KafkaServer
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.sql import SqlServer
from mysync_lab.tables import execute, quote, rows

SECONDS = 5


@contextmanager
def demo(source: str, log: Path, logs: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The demo as a process group of its own, killed if the test fails before its end."""
    variables = {"SOURCE": source, "DEMO_SECONDS": str(SECONDS), "DEMO_LOGS": str(logs)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mysync_lab.demo"],
            env=os.environ | variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


def left_on(server: SqlServer, pipeline: str) -> list[str]:
    """Databases and checkpoints that bear the run's name."""
    with server.connect() as session:
        found = [str(name) for (name,) in rows(session, f"SHOW DATABASES LIKE '{pipeline}'")]
        if rows(
            session,
            "SELECT 1 FROM information_schema.tables"
            " WHERE table_schema = 'mysync' AND table_name = 'checkpoint'",
        ):
            found += map(
                str,
                rows(session, "SELECT 1 FROM mysync.checkpoint WHERE pipeline = %s", [pipeline]),
            )
    return found


@pytest.mark.parametrize("flavour", ["mysql", "mariadb"])
def test_both_services_are_killed_and_every_table_ends_equal(
    request: pytest.FixtureRequest, flavour: str, kafka: KafkaServer, output: Path, tmp_path: Path
) -> None:
    servers = [request.getfixturevalue(f"{flavour}_{letter}") for letter in "ab"]
    with demo(flavour, output, tmp_path / "logs") as process:
        code = process.wait(200)
    text = output.read_text()
    assert code == 0, text
    lines = text.splitlines()
    assert lines[-1] == "equal"
    assert not re.search("\x1b", text), "escape sequences in a pipe"
    for service in ("producer", "consumer"):
        assert f"mysync-{service} killed (SIGKILL)" in text
    for table in ("customers", "orders", "items", "payments"):
        assert re.search(rf"\.{table}: equal, rows [1-9]\d* / [1-9]\d*, checksums", text), text
    found = re.search(r"pipeline (demo_\w+):", text)
    assert found
    for server in servers:
        assert left_on(server, found[1]) == []


def test_one_changed_row_is_different(
    lab: Lab, mysql_a: SqlServer, mysql_b: SqlServer, kafka: KafkaServer
) -> None:
    class Meddler(PlainView):
        """Changes a row of the target when everything is there."""

        pipeline = ""

        def say(self, line: str) -> None:
            if found := re.match(r"pipeline (\w+):", line):
                self.pipeline = found[1]
            super().say(line)

        def show(self, snapshot: Snapshot) -> None:
            if snapshot.phase == "caught up":
                with mysql_b.connect() as session:
                    execute(
                        session,
                        f"UPDATE {quote(self.pipeline)}.items SET weight = weight * -1 LIMIT 1",
                    )
            super().show(snapshot)

    written = io.StringIO()
    assert not play(Story("mysql", SECONDS), Meddler(Console(file=written, width=200)), lab)
    lines = written.getvalue().splitlines()
    assert lines[-1] == "DIFFERENT"
    assert any(re.match(r"demo_\w+\.items: DIFFERENT, rows", line) for line in lines)
    assert any(re.match(r"  source has 1, target 0: order_id=", line) for line in lines)


def test_ctrl_c_ends_everything_that_it_started(
    mysql_a: SqlServer, mysql_b: SqlServer, kafka: KafkaServer, output: Path, tmp_path: Path
) -> None:
    with demo("mysql", output, tmp_path / "logs") as process:
        wait_until(lambda: "running:" in output.read_text(), "the traffic to begin", 120)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130, output.read_text()
    found = re.search(r"pipeline (demo_\w+):", output.read_text())
    assert found
    assert "Traceback" not in output.read_text()
    for server in (mysql_a, mysql_b):
        assert left_on(server, found[1]) == []
    config = os.fsencode(tmp_path / "logs")
    assert not [p for p in commands() if config in p], "a service is left"


def commands() -> Iterator[bytes]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield entry.read_bytes()
        except OSError:
            continue


def test_the_live_screen_shows_rates_lag_and_kills() -> None:
    snapshot = Snapshot(
        elapsed=12,
        total=60,
        phase="running",
        transactions=1234,
        source_rows=5678,
        records=9012,
        applied=8000,
        source_rate=321.0,
        record_rate=432.1,
        apply_rate=54.3,
        lag=(0, 7, 800, 10_000),
        behind_seconds=1.5,
        services=(
            ServiceState("mysync-producer", True, 4711, 2),
            ServiceState("mysync-consumer", False, 0, 3),
        ),
        events=("  7.0 s  mysync-consumer killed (SIGKILL)",),
    )
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100, color_system=None)
    console.print(draw(snapshot))
    for word in (
        "5,678",
        "432",
        "running, pid 4711",
        "dead",
        "2×",
        "3×",
        "800",
        "killed (SIGKILL)",
    ):
        assert word in written.getvalue()
    with LiveView(console) as view:
        view.show(snapshot)
