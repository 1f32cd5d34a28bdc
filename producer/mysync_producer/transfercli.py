"""`mysync-producer transfer …`: copies tables to the target while the source goes on."""

from typing import Annotated, Any

import typer

from mysync_producer.records import read_state
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


@app.command()
def start(tables: Tables, config: cli.ConfigOption = None, as_json: cli.JsonOption = False) -> None:
    """Empties the tables on the target and copies them, from the beginning if under way."""
    _ask(cli.start(config, "producer", "mysync-producer"), "start", tables, as_json=as_json)


@app.command()
def pause(tables: Tables, config: cli.ConfigOption = None, as_json: cli.JsonOption = False) -> None:
    """Reads no more of these tables; their changes go on."""
    _ask(cli.start(config, "producer", "mysync-producer"), "pause", tables, as_json=as_json)


@app.command()
def resume(
    tables: Tables, config: cli.ConfigOption = None, as_json: cli.JsonOption = False
) -> None:
    """Goes on where it was paused."""
    _ask(cli.start(config, "producer", "mysync-producer"), "resume", tables, as_json=as_json)


@app.command()
def cancel(
    tables: Tables, config: cli.ConfigOption = None, as_json: cli.JsonOption = False
) -> None:
    """Gives the transfers up; the target's tables, which lack rows, are set aside there."""
    _ask(cli.start(config, "producer", "mysync-producer"), "cancel", tables, as_json=as_json)


@app.command()
def status(config: cli.ConfigOption = None, as_json: cli.JsonOption = False) -> None:
    """Says how far each transfer is, asked of Kafka: the service needn't run."""
    settings = cli.start(config, "producer", "mysync-producer")
    stop = Stop()
    kafka.connect_at_start(settings.kafka, stop)
    state, transfers = read_state(settings, stop)
    found = [shown(record) for _, record in sorted(transfers.items())]
    if as_json:
        waiting = None if state is None else state.initial
        cli.echo_json({"waiting_to_join": waiting, "transfers": found})
        return
    if state is not None and state.initial is not None:
        typer.echo(f"the tables haven't joined yet ({state.initial})")
    for each in found:
        typer.echo(_line(each))


def _line(each: dict[str, Any]) -> str:
    rows, guess, seconds = each["rows"], each["estimated_rows"], each["seconds"]
    parts = [f"{each['table']}: {each['phase']}", f"{rows} rows of about {max(rows, guess)}"]
    if seconds > 0:
        parts.append(f"{rows / seconds:.0f} rows/s")
    if each["eta_seconds"] is not None:
        parts.append(f"about {each['eta_seconds']:.0f} s left")
    if each["reason"]:
        parts.append(each["reason"])
    return ", ".join(parts)


def _ask(settings: Settings, verb: str, tables: list[str], *, as_json: bool) -> None:
    answer = management.ask(
        settings.http, settings.http.producer_port, f"/transfers/{verb}", {"tables": tables}
    )
    if as_json:
        cli.echo_json(answer)
    else:
        for table in answer["tables"]:
            typer.echo(f"{table}: {verb}")
