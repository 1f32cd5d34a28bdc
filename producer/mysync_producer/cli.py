"""The command line of `mysync-producer`."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mysync_producer import preflight, transfercli
from mysync_producer.filters import Filters
from mysync_producer.schemas_http import SchemaEndpoint
from mysync_producer.service import Producer
from mysync_producer.source import Source
from mysync_producer.status import read_status
from mysync_producer.transferview import line
from mysync_runtime import cli, kafka, management
from mysync_runtime.backoff import reach
from mysync_runtime.errors import ConfigError, PreflightError
from mysync_runtime.http import AppSpec, Ticker, serve
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

Initial = Literal["when_needed", "full", "schema", "never"]

app = cli.new_app("mysync-producer", "Publishes a MySQL or MariaDB binary log to Kafka.")
app.add_typer(transfercli.app, name="transfer")


InitialOption = Annotated[
    Initial | None,
    typer.Option("--initial", help="Instead of `transfer.initial`: what a new pipeline copies."),
]


@app.command()
def run(config: cli.ConfigOption = None, initial: InitialOption = None) -> None:
    """Runs until SIGTERM; a second signal ends it at once."""
    settings = _settings(config)
    if initial is not None:
        transfer = settings.transfer.model_copy(update={"initial": initial})
        settings = settings.model_copy(update={"transfer": transfer})
    filters = filters_of(settings)
    stop, ticker = Stop(settings.grace_seconds), Ticker()
    stop.install()
    producer = Producer(settings, filters, stop, ticker)
    schemas = SchemaEndpoint(settings, stop)
    transfers = management.route("/transfers/{verb}", settings.http, producer.command)
    spec = AppSpec(ticker, producer.ready, producer.status, (*schemas.routes(), transfers))
    handle = serve(spec, host=settings.http.host, port=settings.http.producer_port)
    try:
        producer.run()
    finally:
        handle.stop()


@app.command()
def check(config: cli.ConfigOption = None, as_json: cli.JsonOption = False) -> None:
    """Checks source and Kafka and says how to mend what is wrong; changes nothing."""
    settings = _settings(config)
    filters = filters_of(settings)
    stop = Stop()
    kafka.connect_at_start(settings.kafka, stop)
    source = reach(
        lambda: Source.connect(settings.source),
        stop,
        what=f"the source ({settings.source.address})",
    )
    with closing(source):
        report = preflight.examine(source, settings, filters)
        if not report.failures:
            tables = preflight.examine_tables(source, filters, settings)
            report.failures += tables.failures
            report.warnings += tables.warnings
            report.facts |= tables.facts
    if as_json:
        cli.echo_json(
            {
                "ok": not report.failures,
                **report.facts,
                "failures": [vars(failure) for failure in report.failures],
                "warnings": [vars(warning) for warning in report.warnings],
            }
        )
    else:
        for warning in report.warnings:
            typer.echo(f"warning: {warning}")
    if report.failures:
        raise PreflightError(
            "the source isn't set up for replication", report.failures, where=source.address
        )
    if not as_json:
        facts = ", ".join(f"{name} {value}" for name, value in report.facts.items())
        typer.echo(f"ok: {facts}")


@app.command()
def status(config: cli.ConfigOption = None, as_json: cli.JsonOption = False) -> None:
    """Says where the pipeline stands, asked of Kafka and the source."""
    settings = _settings(config)
    found = read_status(settings, Stop())
    if as_json:
        cli.echo_json(found)
    else:
        for name, value in found.items():
            if name != "transfers":
                typer.echo(f"{name}: {_plain(value)}")
        for each in found.get("transfers", ()):
            typer.echo(f"transfer of {line(each)}")


def filters_of(settings: Settings) -> Filters:
    """The filters, or ConfigError."""
    try:
        filters = Filters(settings.filters.include, settings.filters.exclude)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    ours = settings.transfer.watermark_table
    if filters.includes(*ours.split(".", 1)):
        raise ConfigError(
            f"`transfer.watermark_table`, {ours}, would be replicated",
            mend="Exclude it by `filters.exclude`, or name one in a database of its own.",
        )
    return filters


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _settings(config: Path | None) -> Settings:
    return cli.start(config, "producer", "mysync-producer")


def main() -> None:
    """Entry point of the console script."""
    sys.exit(cli.run_app(app))
