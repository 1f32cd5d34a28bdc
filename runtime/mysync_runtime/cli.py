"""What the command lines of both services share: `--config`, `config show`, `config schema`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from mysync_runtime import log, metrics
from mysync_runtime.lifecycle import run_main
from mysync_runtime.loading import CONFIG_VARIABLE, Role, json_schema, load, masked
from mysync_runtime.settings import Settings

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, help="The settings file (YAML)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of text.")]


def new_app(program: str, summary: str) -> typer.Typer:
    """A command line with `version` and `config`; the service adds `run`, `check`, `status`."""
    app = typer.Typer(
        name=program,
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.command()
    def version() -> None:
        """Prints the version."""
        typer.echo(f"{program} {metrics.version()}")

    config = typer.Typer(no_args_is_help=True, help="The settings.")
    app.add_typer(config, name="config")

    @config.command()
    def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Prints the settings in force, secrets masked."""
        shown = masked(load(config))
        echo_json(shown) if as_json else typer.echo(
            yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), nl=False
        )

    @config.command()
    def schema() -> None:
        """Prints the JSON Schema of the settings file."""
        echo_json(json_schema())

    return app


def start(config: Path | None, role: Role, service: str) -> Settings:
    """Loads the settings and sets logging up, as every command does first. Raises ConfigError."""
    settings = load(config, role=role)
    log.configure(
        settings.log.level, settings.log.format, service=service, pipeline=settings.pipeline
    )
    return settings


def run_app(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit code. Wrong usage is 2, as click has it."""

    def call() -> int:
        # standalone: click itself reports wrong usage and exits with 2.
        try:
            app(args=list(arguments) if arguments is not None else None)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        return 0

    return run_main(call, service=app.info.name or "mysync")


def echo_json(value: Any) -> None:
    """JSON on stdout: data, in one piece."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
