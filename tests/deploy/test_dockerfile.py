"""The Dockerfile's claims that can be checked without building it."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
INSTRUCTIONS = re.findall(
    r"^([A-Z]+) ((?:.*\\\n)*.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
)


def arguments(instruction: str) -> list[str]:
    return [text for name, text in INSTRUCTIONS if name == instruction]


def test_the_last_stage_holds_no_compiler_and_runs_as_nobody_special() -> None:
    starts = [n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM"]
    assert len(starts) == 2
    final = INSTRUCTIONS[starts[-1] :]
    assert all("gcc" not in text and "apt-get" not in text for _, text in final)
    (user,) = [text for name, text in final if name == "USER"]
    assert user == "10001:10001"


def test_bases_are_pinned_to_a_python_that_mysync_supports() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = tuple(map(int, wanted.removeprefix(">=").split(".")))
    for base in arguments("FROM"):
        found = re.match(r"python:(\d+)\.(\d+)-slim", base)
        assert found, base
        assert (int(found[1]), int(found[2])) >= oldest


def test_everything_that_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    sources = [
        source
        for text in arguments("COPY")
        if not text.startswith("--from")
        for source in text.split()[:-1]
    ]
    assert {"schemas", "runtime", "producer", "consumer", "uv.lock"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not any(part in ignored for part in Path(source).parts), source


def test_the_wheel_of_the_image_has_all_packages_and_licenses() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = {source for text in arguments("COPY") for source in text.split()[:-1]}
    for folder in project["tool"]["setuptools"]["packages"]["find"]["where"]:
        assert folder in copied
    assert set(project["project"]["license-files"]) <= copied


def test_dependencies_are_installed_as_locked() -> None:
    runs = " ".join(arguments("RUN"))
    assert "uv export --frozen --no-dev" in runs
    assert "--require-hashes" in runs
    assert "MYSYNC_COMPILED=1" in runs


def test_both_services_ports_are_named() -> None:
    assert arguments("EXPOSE") == ["8701 8702"]
