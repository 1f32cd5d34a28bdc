"""The command line of `mysync-producer`."""

import sys
from pathlib import Path

from mysync_producer.filters import Filters
from mysync_producer.service import Producer
from mysync_runtime import cli
from mysync_runtime.errors import ConfigError
from mysync_runtime.http import AppSpec, Ticker, serve
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

app = cli.new_app("mysync-producer", "Publishes a MySQL or MariaDB binary log to Kafka.")


@app.command()
def run(config: cli.ConfigOption = None) -> None:
    """Runs until SIGTERM; a second signal ends it at once."""
    settings = _settings(config)
    stop, ticker = Stop(settings.grace_seconds), Ticker()
    stop.install()
    producer = Producer(settings, filters_of(settings), stop, ticker)
    spec = AppSpec(ticker, producer.ready, dict)
    handle = serve(spec, host=settings.http.host, port=settings.http.producer_port)
    try:
        producer.run()
    finally:
        handle.stop()


def filters_of(settings: Settings) -> Filters:
    """The filters, or ConfigError."""
    try:
        return Filters(settings.filters.include, settings.filters.exclude)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _settings(config: Path | None) -> Settings:
    return cli.start(config, "producer", "mysync-producer")


def main() -> None:
    """Entry point of the console script."""
    sys.exit(cli.run_app(app))
