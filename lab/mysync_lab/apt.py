"""Which Debian mirror this machine uses: read from its own apt sources, in both their formats."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mysync_lab.errors import MissingTool

_SUITES = frozenset(
    {"bullseye", "bookworm", "trixie", "forky", "sid"}
    | {"stable", "oldstable", "oldoldstable", "testing", "unstable"}
)


@dataclass(frozen=True)
class Source:
    """One `deb` source: where, which suite, which components."""

    uri: str
    suite: str
    components: tuple[str, ...]


def parse_list(text: str) -> Iterator[Source]:
    """The one-line format, sources.list(5): `deb [options] URI suite component…`."""
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if not line.startswith(("deb ", "deb\t")):
            continue
        rest = line[3:].strip()
        if rest.startswith("["):
            rest = rest.partition("]")[2].strip()
        words = rest.split()
        if len(words) >= 2:
            yield Source(words[0], words[1], tuple(words[2:]))


def parse_deb822(text: str) -> Iterator[Source]:
    """The deb822 format, sources.list(5): stanzas of `Field: value`, continued by indentation."""
    for stanza in _stanzas(text):
        disabled = stanza.get("enabled", "yes").lower() in ("no", "false", "0", "off")
        if disabled or "deb" not in stanza.get("types", "").split():
            continue
        components = tuple(stanza.get("components", "").split())
        for uri in stanza.get("uris", "").split():
            for suite in stanza.get("suites", "").split():
                yield Source(uri, suite, components)


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line.startswith("#"):
            continue
        elif line[0] in " \t":
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()


def pick_mirror(sources: Iterable[Source]) -> str | None:
    """The first source that carries a whole Debian release (not only updates or security)."""
    for source in sources:
        if source.suite in _SUITES and "main" in source.components:
            return source.uri.rstrip("/")
    return None


def machine_sources(etc: Path = Path("/etc/apt")) -> Iterator[Source]:
    """Every source that the machine's apt would read."""
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        if path.suffix == ".list" and path.is_file():
            yield from parse_list(path.read_text())
        elif path.suffix == ".sources" and path.is_file():
            yield from parse_deb822(path.read_text())


def mirror() -> str:
    """This machine's Debian mirror, or `MYSYNC_LAB_MIRROR`."""
    found = os.environ.get("MYSYNC_LAB_MIRROR") or pick_mirror(machine_sources())
    if found is None:
        raise MissingTool(
            "no Debian mirror in this machine's apt sources: set MYSYNC_LAB_MIRROR to the URI of "
            "one, or point MYSYNC_LAB_MYSQL_A, … at servers that already run"
        )
    return found
