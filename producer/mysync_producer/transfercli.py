"""`mysync-producer transfer …`: copies tables to the target while the source goes on."""

from fnmatch import fnmatchcase
from typing import Annotated, Any

import typer

from mysync_producer.records import read_state
from mysync_producer.transferview import follow, line
from mysync_producer.walk import shown
from mysync_runtime import cli, kafka, management
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Copies tables to the target, while all goes on.")

Tables = Annotated[
    list[str],
    typer.Argument(help="Patterns database.table, as in the filters.", show_default=False),
]
SomeTables = Annotated[
    list[str] | None,
    typer.Argument(help="Patterns database.table; all if none is given.", show_default=False),
]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Until all of it is done.")]

_SAID = {
    "start": "is emptied on the target and transferred",
    "pause": "is paused",
    "resume": "goes on",
    "cancel": "is given up; if the target has it in part, it is set aside there until"
    " `transfer start` brings it back",
}


@app.command()
def start(tables: Tables, config: cli.ConfigOption = None, as_json: cli.JsonOption = False) -> None:
    """Empties the tables on the target and copies them, from the beginning if under way."""
    _ask(_settings(config), "start", tables, as_json=as_json)


@app.command()
def pause(tables: Tables, config: cli.ConfigOption = None, as_json: cli.JsonOption = False) -> None:
    """Reads no more of these tables; their changes go on."""
    _ask(_settings(config), "pause", tables, as_json=as_json)


@app.command()
def resume(
    tables: Tables, config: cli.ConfigOption = None, as_json: cli.JsonOption = False
) -> None:
    """Goes on where it was paused."""
    _ask(_settings(config), "resume", tables, as_json=as_json)


@app.command()
def cancel(
    tables: Tables, config: cli.ConfigOption = None, as_json: cli.JsonOption = False
) -> None:
    """Gives the transfers up; tables that the target has in part are set aside there."""
    _ask(_settings(config), "cancel", tables, as_json=as_json)


@app.command()
def status(
    tables: SomeTables = None,
    config: cli.ConfigOption = None,
    as_json: cli.JsonOption = False,
    following: FollowOption = False,
) -> None:
    """Says how far each transfer is, asked of Kafka: the service needn't run."""
    if following and as_json:
        raise typer.BadParameter("--follow is for people, --json isn't")
    settings = _settings(config)
    stop = Stop()
    kafka.connect_at_start(settings.kafka, stop)

    def look() -> tuple[str | None, list[dict[str, Any]]]:
        state, transfers = read_state(settings, stop)
        found = [
            shown(record)
            for table, record in sorted(transfers.items())
            if not tables or any(fnmatchcase(str(table), pattern) for pattern in tables)
        ]
        return None if state is None else state.initial, found

    if following:
        follow(look)
        return
    waiting, found = look()
    if as_json:
        cli.echo_json({"waiting_to_join": waiting, "transfers": found})
        return
    if waiting is not None:
        typer.echo(f"the target has no tables yet: their transfer is being prepared ({waiting})")
    for each in found:
        typer.echo(line(each))
    if waiting is None and not found:
        typer.echo("no table was transferred")


def _settings(config: cli.ConfigOption) -> Settings:
    return cli.start(config, "producer", "mysync-producer")


def _ask(settings: Settings, verb: str, tables: list[str], *, as_json: bool) -> None:
    answer = management.ask(
        settings.http, settings.http.producer_port, f"/transfers/{verb}", {"tables": tables}
    )
    if as_json:
        cli.echo_json(answer)
    else:
        for table in answer["tables"]:
            typer.echo(f"{table} {_SAID[verb]}")
