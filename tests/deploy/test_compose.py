"""docker-compose.yml hangs together, and what it tells the servers is enough for mysync to run."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mysync_lab.catchup import wait_caught_up
from mysync_lab.cleanup import forget_pipeline
from mysync_lab.compare import compare
from mysync_lab.kafka import KafkaServer
from mysync_lab.services import Pipeline, settings
from mysync_lab.sql import SqlServer
from mysync_lab.tables import execute
from mysync_runtime.loading import load

FILE = Path(__file__).parents[2] / "docker-compose.yml"
SERVICES = ["producer", "consumer", "producer-mariadb", "consumer-mariadb"]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


def config(compose: dict[str, Any], service: str) -> dict[str, Any]:
    """The settings file that a service of ours gets."""
    (mounted,) = compose["services"][service]["configs"]
    return dict(yaml.safe_load(compose["configs"][mounted["source"]]["content"]))


def test_docker_finds_the_file_valid() -> None:
    command = [shutil.which("docker") or "docker", "compose"]
    if (
        not shutil.which("docker")
        or subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no docker compose on this machine")
    for profile in ([], ["--profile", "mariadb"]):
        done = subprocess.run(
            [*command, "--file", str(FILE), *profile, "config", "--format", "json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["services"]


def test_every_name_that_is_used_is_defined(compose: dict[str, Any]) -> None:
    services, configs = compose["services"], compose["configs"]
    used = set()
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= services.keys(), name
        for dependency, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in services[dependency]
            # A service of a profile must not be needed by one outside of it.
            assert set(services[dependency].get("profiles", [])) <= set(service.get("profiles", []))
        used |= {mounted["source"] for mounted in service.get("configs", [])}
    assert used == set(configs)


def test_images_are_pinned_and_ports_stay_on_the_loopback(compose: dict[str, Any]) -> None:
    ports = []
    for name, service in compose["services"].items():
        assert re.search(r":[\d.]+$|^mysync:local$", service["image"]), name
        ports += service.get("ports", [])
    assert len(ports) == len(set(ports)) == len(SERVICES)
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("service", SERVICES)
def test_our_services_run_with_the_least_they_need(compose: dict[str, Any], service: str) -> None:
    found = compose["services"][service]
    assert found["user"] == "10001:10001"
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["command"] == [f"mysync-{service.removesuffix('-mariadb')}", "run"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_of_each_service_are_read_by_mysync(
    compose: dict[str, Any], service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compose["services"][service]
    path = tmp_path / "mysync.yaml"
    path.write_text(yaml.safe_dump(config(compose, service)))
    for name, value in found["environment"].items():
        monkeypatch.setenv(name, str(path) if name == "MYSYNC_CONFIG" else value)
    read = load(role="producer" if "producer" in service else "consumer")
    port = read.http.producer_port if "producer" in service else read.http.consumer_port
    assert found["ports"][0].endswith(f":{port}")
    assert read.http.host == "0.0.0.0"
    for host in (read.source.host, read.target.host):
        assert host in compose["services"]


def test_a_profile_has_its_own_pipeline(compose: dict[str, Any]) -> None:
    names = {config(compose, service)["pipeline"] for service in SERVICES}
    assert names == {"shop", "shop_mariadb"}


@pytest.fixture(params=["mysql", "mariadb"])
def flavour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def servers(request: pytest.FixtureRequest, flavour: str) -> Iterator[tuple[SqlServer, SqlServer]]:
    found = [request.getfixturevalue(f"{flavour}_{letter}") for letter in "ab"]
    yield found[0], found[1]
    for server in found:
        with server.connect() as session:
            execute(session, *CLEAN)


DB = "composed"
CLEAN = (f"DROP USER IF EXISTS {DB}_user", f"DROP DATABASE IF EXISTS {DB}")


def first_start(compose: dict[str, Any], service: str) -> list[str]:
    """What the image runs when its data folder is empty, under other names than the file's."""
    found = compose["services"][service]
    scripts = [compose["configs"][mounted["source"]]["content"] for mounted in found["configs"]]
    text = " ".join(scripts).replace("'mysync'@", f"'{DB}_user'@")
    text = re.sub(r"\bshop\.", f"{DB}.", text)
    return [f"CREATE DATABASE {DB}", *(part for part in text.split(";") if part.strip())]


def test_the_users_grants_are_enough_to_replicate(
    compose: dict[str, Any],
    flavour: str,
    servers: tuple[SqlServer, SqlServer],
    kafka: KafkaServer,
    tmp_path: Path,
) -> None:
    source, target = servers
    for server, role in ((source, "source"), (target, "target")):
        with server.connect() as session:
            execute(session, *CLEAN, *first_start(compose, f"{flavour}-{role}"))
    login = {"user": f"{DB}_user", "password": "mysync"}
    name = f"{DB}_{flavour}"
    filters = {"include": [f"{DB}.*"]}
    pipeline = Pipeline(
        tmp_path,
        settings(name, source, target, kafka, source=login, target=login, filters=filters),
    )
    with source.connect() as here, target.connect() as there:
        try:
            services = [pipeline.producer(), pipeline.consumer()]
            for service in services:
                service.start().wait_ready()
            execute(here, f"INSERT INTO {DB}.customers (name, city) VALUES ('Ada', 'Zürich')")
            execute(here, f"INSERT INTO {DB}.items VALUES (1, 1, 'A', 2, '{{\"a\": [1, null]}}')")
            wait_caught_up(here, there, name, pipeline.partitions, services=services)
            comparison = compare(here, there, [DB])
            assert comparison.equal, str(comparison)
            assert comparison.rows == 2
            for program in ("mysync-producer", "mysync-consumer"):
                code, _, stderr = pipeline.run(program, "check")
                assert code == 0, stderr
        finally:
            pipeline.end()
            forget_pipeline(name, bootstrap=kafka.bootstrap, target=there)
