"""`python -m mysync_lab up|down|status [names…] [--json]`."""

import json
import sys
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mysync_lab import kafka, packages
from mysync_lab.errors import LabError
from mysync_lab.lab import DEFAULT, Lab
from mysync_lab.layout import cache_dir, read_json
from mysync_lab.server import Kind

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
logs = Console(stderr=True, highlight=False)

Names = Annotated[list[str] | None, typer.Argument(help="servers, e.g. mysql-a mariadb-a kafka")]
Json = Annotated[bool, typer.Option("--json", help="print the status as JSON")]


@app.command()
def up(names: Names = None, as_json: Json = False) -> None:
    """Start servers (mysql-a, mysql-b and kafka if none are named) and wait until they answer."""
    lab = Lab()
    wanted = names or list(DEFAULT)
    bring({lab[name].kind for name in wanted})
    began = time.monotonic()
    lab.up(*wanted)
    logs.print(f"{', '.join(wanted)}: ready in {time.monotonic() - began:.1f} s")
    show(lab, as_json)


@app.command()
def down(names: Names = None) -> None:
    """Stop servers, all if none are named. Their data stays."""
    Lab().down(*names or ())


@app.command()
def status(names: Names = None, as_json: Json = False) -> None:
    """Show the servers that have been started here."""
    show(Lab(), as_json, names)


def bring(kinds: set[Kind]) -> None:
    """Downloads what isn't in the cache, and says so."""
    for component in (packages.MYSQL, packages.MARIADB):
        if component.name in kinds:
            began, missing = time.monotonic(), not (cache_dir() / component.name).exists()
            if missing:
                logs.print(f"{component.name}: downloading to {cache_dir()}")
            found = packages.unpack(component).versions[component.packages[0]]
            if missing:
                logs.print(f"{component.name}: downloaded in {time.monotonic() - began:.1f} s")
            announce(component.name, packages.upstream_version(found), component.known)
    if "kafka" in kinds:
        began, missing = time.monotonic(), not (cache_dir() / "kafka").exists()
        if missing:
            logs.print(f"kafka: downloading to {cache_dir()}")
        kafka.libraries()
        if missing:
            logs.print(f"kafka: downloaded in {time.monotonic() - began:.1f} s")
        announce("kafka", read_json(cache_dir() / "kafka/versions.json")["kafka"], kafka.KNOWN)


def announce(name: str, found: str, known: str) -> None:
    """Says when the machine got another version than the tests were last run with."""
    if found != known:
        logs.print(f"{name}: [yellow]{found} is new here[/]; the tests know {known}")


def show(lab: Lab, as_json: bool, names: list[str] | None = None) -> None:
    """Prints the status to standard output."""
    entries: list[dict[str, Any]] = [
        entry for entry in lab.status() if not names or entry["name"] in names
    ]
    if as_json:
        typer.echo(json.dumps(entries, indent=2))
        return
    table = Table("name", "state", "address", "user", "password", "version", "pid", box=None)
    for entry in entries:
        state = "running" if entry["running"] else "stopped"
        address = f"{entry['host']}:{entry['port']}"
        words = (entry["name"], state, address, entry["user"], entry["password"])
        table.add_row(*words, entry["version"], str(entry.get("pid") or ""))
    Console().print(table)


def main() -> None:
    """Runs the command; what the lab can't do is one line, not a traceback."""
    try:
        app()
    except LabError as error:
        # Not through rich: servers' log lines hold what looks like markup.
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
