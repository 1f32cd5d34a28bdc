"""The command line of `mysync-consumer`."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def root() -> None:
    """mysync-consumer."""


def main() -> None:
    """Entry point of the console script."""
    app()
