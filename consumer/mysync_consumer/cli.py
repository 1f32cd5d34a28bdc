"""The command line of `mysync-consumer`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mysync_consumer import (
    cutcommand,
    ddllist,
    points,
    preflight,
    processes,
    tablelist,
)
from mysync_consumer import (
    rebuild as rebuilding,
)
from mysync_consumer import status as status_page
from mysync_consumer.service import Service
from mysync_runtime import cli, kafka, mysql
from mysync_runtime.cli import ConfigOption, JsonOption
from mysync_runtime.lifecycle import Stop

SERVICE = "mysync-consumer"

app = cli.new_app(SERVICE, "Applies a pipeline's topics to a MySQL or MariaDB server.")


@app.command()
def run(
    config: ConfigOption = None,
    processes_: int = typer.Option(
        0, "--processes", min=0, help="Processes to run; 0: as the settings say."
    ),
    child: bool = typer.Option(False, "--child", hidden=True, help="One of several processes."),
    rebuilds: bool = typer.Option(False, "--rebuild", hidden=True, help="One of a rebuild's."),
) -> None:
    """Runs the consumer until SIGTERM; a second signal ends it at once."""
    settings = cli.start(config, "consumer", SERVICE)
    count = processes_ or settings.apply.processes
    stop = Stop(settings.grace_seconds)
    stop.install(interrupt=not child)
    if count > 1:
        raise typer.Exit(processes.run(count, settings, config, stop))
    Service(settings, stop, rebuilds=rebuilds).run()


@app.command()
def check(config: ConfigOption = None) -> None:
    """Checks Kafka and the target without changing anything."""
    settings = cli.start(config, "consumer", SERVICE)
    stop = Stop(settings.grace_seconds)
    stop.install()
    admin = kafka.connect_at_start(settings.kafka, stop)
    typer.echo(f"Kafka: reachable ({','.join(settings.kafka.bootstrap_servers)})")
    missing = preflight.check_topics_exist(admin, settings)
    typer.echo(f"Topics: {missing.what if missing else 'there'}")
    connection = mysql.connect_at_start(settings.target, stop, what="the target")
    try:
        way = preflight.require(connection, settings)
        typer.echo(f"Target: {mysql.flavor(connection)} at {settings.target.address}, ready")
        typer.echo(f"Rows are written by {way}")
    finally:
        connection.close()


@app.command()
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Shows where the target stands, asking Kafka and the target: the service may be down."""
    settings = cli.start(config, "consumer", SERVICE)
    found: dict[str, Any] = status_page.ask(settings, Stop(settings.grace_seconds))
    if as_json:
        cli.echo_json(found)
    else:
        status_page.show(found)


@app.command()
def tables(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Lists the tables that are written, and those that are set aside and why."""
    settings = cli.start(config, "consumer", SERVICE)
    found = tablelist.ask(settings, Stop(settings.grace_seconds))
    if as_json:
        cli.echo_json(found)
    else:
        tablelist.show(found)


@app.command()
def rebuild(
    begin: str = typer.Option(
        points.EARLIEST,
        "--from",
        metavar="POINT",
        help="Where to begin; anything but `earliest` needs a target that stands there.",
    ),
    until: str = typer.Option("", "--until", metavar="POINT", help="Where to end, exactly."),
    processes_: int = typer.Option(
        0, "--processes", min=0, help="Processes to run; 0: as the settings say."
    ),
    config: ConfigOption = None,
) -> None:
    """Makes an empty target from the topics alone, statements included; goes on if it was stopped.

    A point is gtid:SET, position:FILE:POS, time:2026-01-31T12:00:00Z or offset:PARTITION:OFFSET;
    whole transactions of the source up to there are applied. With --until it ends there and says
    where; without, it stays and runs as `run` does.
    """
    settings = cli.start(config, "consumer", SERVICE)
    count = processes_ or settings.apply.processes
    stop = Stop(settings.grace_seconds)
    stop.install()
    rebuilding.prepare(settings, stop, rebuilding.Request(begin, until))
    code = 0
    if not rebuilding.is_done(settings, stop):
        if count > 1:
            code = processes.run(count, settings, config, stop, ["--rebuild"])
        else:
            Service(settings, stop, rebuilds=True).run()
    if code == 0 and until:
        typer.echo(rebuilding.outcome(settings, stop))
    raise typer.Exit(code)


@app.command()
def cut(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND",
            help="Run while all stand; the cut is released when it ends.",
            show_default=False,
        ),
    ] = None,
    hold: float = typer.Option(
        600.0, "--hold", min=1, help="Seconds to stand at most, without a command."
    ),
    timeout: float = typer.Option(
        60.0, "--timeout", min=0, help="Seconds in which all partitions must stand."
    ),
    release: bool = typer.Option(False, "--release", help="Ends the cut that is in force."),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stops all partitions at one position of the source, and says which; then all go on.

    With a command, for as long as it runs: `mysync-consumer cut -- mysqldump ... > dump.sql`. It
    finds the position in MYSYNC_CUT_FILE, MYSYNC_CUT_POSITION and MYSYNC_CUT_GTID_SET, and its exit
    code is this one's. Without, until `cut --release`, or for --hold seconds.
    """
    settings = cli.start(config, "consumer", SERVICE)
    stop = Stop(settings.grace_seconds)
    stop.install()
    if release:
        typer.echo(f"cut {cutcommand.release(settings, stop)} is released")
    elif command:
        raise typer.Exit(cutcommand.run(settings, stop, command, timeout))
    else:
        reached = cutcommand.hold(settings, stop, hold, timeout)
        if as_json:
            cli.echo_json(reached.as_json())
        else:
            typer.echo("\n".join(reached.lines()))
            typer.echo(f"all stand until `cut --release`, for {hold:g} s at most")


ddl = typer.Typer(no_args_is_help=True, help="The source's statements on the target.")
app.add_typer(ddl, name="ddl")
NumberArgument = Annotated[int, typer.Argument(help="The statement's number.", min=1)]


@ddl.command("list")
def ddl_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Lists the last statements and what became of them."""
    settings = cli.start(config, "consumer", SERVICE)
    found = ddllist.ask(settings, Stop(settings.grace_seconds))
    if as_json:
        cli.echo_json(found)
    else:
        ddllist.show(found)


def _decide(config: Path | None, number: int, word: ddllist.Word) -> None:
    settings = cli.start(config, "consumer", SERVICE)
    ddllist.decide(settings, Stop(settings.grace_seconds), number, word)
    typer.echo(f"statement {number}: {word}; consumers that stopped at it can be started again")


@ddl.command("skip")
def ddl_skip(number: NumberArgument, config: ConfigOption = None) -> None:
    """Goes on without a statement."""
    _decide(config, number, "skip")


@ddl.command("done")
def ddl_done(number: NumberArgument, config: ConfigOption = None) -> None:
    """Says that a statement's change is made, by hand or by the statement."""
    _decide(config, number, "done")


@ddl.command("retry")
def ddl_retry(number: NumberArgument, config: ConfigOption = None) -> None:
    """Says that nothing of a statement was done: it is executed anew."""
    _decide(config, number, "retry")


def main() -> None:
    """Entry point of the console script."""
    sys.exit(cli.run_app(app))
