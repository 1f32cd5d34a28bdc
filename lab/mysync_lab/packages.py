"""Debian packages unpacked beside the system: no root, no installation, any release.

apt works here on a private configuration with an empty list of installed packages, so that the
closure it computes has everything down to libc, and the programs run with their own dynamic loader.
Signatures are checked against the Debian keyring as ever.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mysync_lab import apt
from mysync_lab.errors import DownloadFailed, MissingTool
from mysync_lab.layout import cache_dir, locked, published, read_json, write_json

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# In the closure of the server packages for their maintainer scripts and optional tools only.
_UNNEEDED = re.compile(
    r"perl.*|libperl.*|debconf.*|cdebconf|libdb5.*|libgdbm.*|libbz2.*|libicu\d+-dbg|.*-common|passwd"
)


@dataclass(frozen=True)
class Component:
    """A set of Debian packages and what they are known to be."""

    name: str
    suite: str
    packages: tuple[str, ...]
    # the version that the project's tests last ran on
    known: str


MYSQL = Component("mysql", "sid", ("mysql-server-core", "mysql-client-core"), "9.7.4")
MARIADB = Component(
    "mariadb", "bookworm", ("mariadb-server-core", "mariadb-client-core"), "10.11.18"
)


@dataclass(frozen=True)
class Unpacked:
    """A component on disk."""

    root: Path
    # package -> Debian version
    versions: dict[str, str]

    def binary(self, path: str) -> list[str]:
        """The argv prefix that runs `usr/…` with the component's own loader and libraries."""
        program = self.root / path
        if not program.exists():
            raise MissingTool(f"{program} is not among the unpacked packages")
        loaders = sorted((self.root / "usr/lib").glob("*/ld-linux*.so.*")) or sorted(
            (self.root / "lib").glob("*/ld-linux*.so.*")
        )
        if not loaders:
            raise MissingTool(f"no dynamic loader under {self.root}: remove it and try again")
        libraries = ":".join(
            str(self.root / top / loaders[0].parent.name) for top in ("usr/lib", "lib")
        )
        return [str(loaders[0]), "--library-path", libraries, str(program)]


def parse_closure(printed: str) -> dict[str, str]:
    """`apt-get --print-uris` output as package -> version, without what isn't needed.

    A line is `'URI' name_version_arch.deb size hash`; the epoch's colon is written `%3a`.
    """
    closure = {}
    for line in printed.splitlines():
        match = re.match(r"'[^']+' ([^_\s]+)_([^_\s]+)_[^_\s]+\.deb ", line)
        if match and not _UNNEEDED.fullmatch(match[1]):
            closure[match[1]] = unquote(match[2])
    return closure


def upstream_version(debian: str) -> str:
    """`1:10.11.18+ds-0+deb12u1` -> `10.11.18`."""
    match = re.match(r"(?:\d+:)?([0-9.]+)", debian)
    return match[1] if match else debian


def unpack(component: Component) -> Unpacked:
    """The component's folder, downloaded first if it isn't there."""
    target = cache_dir() / component.name
    with locked(cache_dir() / f"{component.name}.lock"):
        if not target.exists():
            _download(component, target)
    return Unpacked(target / "root", read_json(target / "versions.json"))


def _download(component: Component, target: Path) -> None:
    for tool, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg")):
        if shutil.which(tool) is None:
            raise MissingTool(
                f"{tool} is needed to bring {component.name}: on another system than Debian, "
                f"install '{package}', or point MYSYNC_LAB_* at servers that already run"
            )
    if not _KEYRING.exists():
        raise MissingTool(f"{_KEYRING} is missing: install 'debian-archive-keyring'")
    with published(target) as work, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        get = ["apt-get", "-c", str(_configure(Path(scratch), component.suite)), "-q"]
        _run([*get, "update"], component)
        wanted = component.packages
        closure = parse_closure(
            _run([*get, "install", "--download-only", "--print-uris", "-y", *wanted], component)
        )
        if missing := [name for name in wanted if name not in closure]:
            raise DownloadFailed(f"Debian {component.suite} has no {', '.join(missing)}")
        debs = Path(scratch) / "debs"
        debs.mkdir()
        _run([*get, "download", *closure], component, cwd=debs)
        root = work / "root"
        root.mkdir()
        for deb in sorted(debs.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(deb), str(root)], component)
        write_json(work / "versions.json", closure)


def _configure(scratch: Path, suite: str) -> Path:
    for folder in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "etc/trusted.gpg.d").mkdir()
    (scratch / "status").touch()
    (scratch / "etc/sources.list").write_text(
        f"deb [signed-by={_KEYRING}] {apt.mirror()} {suite} main\n"
    )
    # auth.conf and proxies of the machine stay in force: only these are ours.
    config = scratch / "apt.conf"
    config.write_text(
        f"""
Dir::State "{scratch}/state";
Dir::State::status "{scratch}/status";
Dir::Cache "{scratch}/cache";
Dir::Etc::sourcelist "{scratch}/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "{scratch}/etc/preferences";
Dir::Etc::preferencesparts "{scratch}/etc/preferences.d";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
"""
    )
    return config


def _run(argv: list[str], component: Component, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise DownloadFailed(f"bringing {component.name}: {argv[0]} failed:\n{tail}")
    return done.stdout
