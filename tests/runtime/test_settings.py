"""What a user writes into the settings file and the environment, and what comes of it."""

import json
import os
from pathlib import Path

import pytest

from mysync_runtime.errors import ConfigError
from mysync_runtime.loading import json_schema, load, masked
from mysync_runtime.settings import Settings

FULL = """
pipeline: shop
kafka:
  bootstrap_servers: [k1:9092, k2:9092]
source:
  host: db1
  password: s3cret
target:
  host: db2
"""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MYSYNC_") and not name.startswith("MYSYNC_LAB"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mysync.yaml"
    path.write_text(FULL)
    return path


def refused(path: Path | None, text: str | None = None, **kwargs: str) -> str:
    if path is not None and text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, **kwargs)  # type: ignore[arg-type]
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_one_file_serves_both_services(file: Path) -> None:
    settings = load(file, role="producer")
    assert load(file, role="consumer") == settings
    assert settings.source.host == "db1"
    assert settings.source.password.get_secret_value() == "s3cret"
    assert settings.target.address == "db2:3306"
    assert settings.kafka.bootstrap_servers == ["k1:9092", "k2:9092"]


def test_names_are_derived_from_the_pipeline_and_the_target(file: Path) -> None:
    settings = load(file)
    assert settings.rows_topic == "shop.rows"
    assert settings.control_topic == "shop.control"
    assert settings.state_topic == "shop.state"
    assert settings.transactional_id == "shop"
    assert settings.position_group == "mysync-producer-shop"
    assert settings.leader_group == "mysync-producer-shop-leader"
    assert settings.consumer_group == "mysync-consumer-shop-default"


def test_variables_stand_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSYNC_SOURCE__HOST", "elsewhere")
    monkeypatch.setenv("MYSYNC_SOURCE__SSL__MODE", "required")
    monkeypatch.setenv("MYSYNC_APPLY__COALESCE", "false")
    settings = load(file)
    assert settings.source.host == "elsewhere"
    assert settings.source.password.get_secret_value() == "s3cret"
    assert settings.source.ssl.mode == "required"
    assert settings.apply.coalesce is False


def test_lists_are_comma_separated_in_variables(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSYNC_KAFKA__BOOTSTRAP_SERVERS", "a:1, b:2")
    monkeypatch.setenv("MYSYNC_FILTERS__INCLUDE", "shop.*,crm.customers")
    monkeypatch.setenv("MYSYNC_KAFKA__PROPERTIES", '{"client.id": "x"}')
    settings = load(file)
    assert settings.kafka.bootstrap_servers == ["a:1", "b:2"]
    assert settings.filters.include == ["shop.*", "crm.customers"]
    assert settings.kafka.properties == {"client.id": "x"}


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSYNC_PIPELINE", "shop")
    monkeypatch.setenv("MYSYNC_SOURCE__HOST", "db1")
    monkeypatch.setenv("MYSYNC_KAFKA__BOOTSTRAP_SERVERS", "a:1")
    assert load(role="producer").source.host == "db1"


def test_a_variable_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSYNC_CONFIG", str(file))
    assert load().pipeline == "shop"


@pytest.mark.parametrize("content", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_a_secret_comes_from_a_file_named_in_the_file(
    file: Path, tmp_path: Path, content: str
) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(content.encode())
    file.write_text(FULL.replace("password: s3cret", f"password_file: {secret}"))
    assert load(file).source.password.get_secret_value() == "hunter2"


def test_a_secret_comes_from_a_file_named_by_a_variable_over_the_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n\n")
    monkeypatch.setenv("MYSYNC_SOURCE__PASSWORD_FILE", str(secret))
    monkeypatch.setenv("MYSYNC_KAFKA__SASL_PASSWORD_FILE", str(secret))
    settings = load(file)
    assert settings.source.password.get_secret_value() == "hunter2\n"
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "hunter2\n"


def test_a_secret_given_twice_is_refused(file: Path) -> None:
    text = FULL.replace("password: s3cret", "password: s3cret\n  password_file: /x")
    assert "source.password and source.password_file are both given" in refused(file, text)


def test_a_secrets_file_that_is_absent_is_refused(file: Path) -> None:
    said = refused(file, FULL.replace("password: s3cret", "password_file: /nowhere/password"))
    assert "/nowhere/password" in said
    assert "source.password_file" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pipline: shop\n", ["pipline", "did you mean pipeline?", "pipeline is missing"]),
        (FULL + "aplly: {}\n", ["aplly is not a setting", "did you mean apply?"]),
        (
            FULL.replace("host: db1", "hots: db1"),
            ["source.hots is not a setting", "did you mean source.host?"],
        ),
        (
            FULL + "filters: {zzzzzz: 1}\n",
            ["filters.zzzzzz is not a setting", "known here: include, exclude"],
        ),
        (FULL.replace("host: db1", "port: 99999"), ["source.port", "65535"]),
        (FULL.replace("host: db1", "port: many"), ["source.port", "integer"]),
        (FULL.replace("shop", "7shop"), ["pipeline", "pattern"]),
        (FULL + "topics: {partitions: 0}\n", ["topics.partitions", "1"]),
        (
            FULL + "topics: {min_insync_replicas: 2}\n",
            ["topics", "min_insync_replicas is greater than replication_factor"],
        ),
        (
            FULL.replace("host: db1", "ssl: {cert: x}"),
            ["source.ssl", "cert and key belong together"],
        ),
        (
            FULL.replace("host: db1", "ssl: {mode: disabled, ca: x}"),
            ["source.ssl", "mode is disabled"],
        ),
        (FULL.replace("host: db2", "name: a b"), ["target.name", "pattern"]),
        (FULL + "apply: {via: magic}\n", ["apply.via", "'auto'"]),
        (FULL.replace("[k1:9092, k2:9092]", "[]"), ["kafka.bootstrap_servers", "at least 1"]),
        ("- a\n- b\n", ["must be a mapping"]),
        ("a: [\n", ["isn't YAML", ":2"]),
        (FULL + "source: {}\n", ["'source' is given twice"]),
        (FULL + "? [a]\n: 1\n", ["unhashable key"]),
    ],
)
def test_a_wrong_setting_is_named_and_explained(file: Path, text: str, words: list[str]) -> None:
    said = refused(file, text)
    assert [word for word in [*words, str(file)] if word not in said] == [], said
    assert "\n" not in said


@pytest.mark.parametrize(
    "name",
    [
        "acks",
        "enable.idempotence",
        "transactional.id",
        "isolation.level",
        "auto.offset.reset",
        "max.in.flight",
        "message.send.max.retries",
        "message.timeout.ms",
        "delivery.timeout.ms",
        "group.protocol",
        "group.instance.id",
        "queue.buffering.max.ms",
    ],
)
def test_properties_that_exactly_once_rests_on_are_refused(file: Path, name: str) -> None:
    text = FULL.replace("kafka:\n", f"kafka:\n  properties: {{{name}: x}}\n")
    said = refused(file, text)
    assert f"mysync sets {name} itself" in said


def test_a_wrong_secret_is_not_repeated_in_the_error(file: Path) -> None:
    assert "4711" not in refused(file, FULL.replace("s3cret", "4711"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MYSYNC_SOURCE__HOSTT", "source.hostt is not a setting, did you mean source.host?"),
        ("MYSYNC_SORCE__HOST", "MYSYNC_SORCE__HOST sets nothing, did you mean source?"),
        ("MYSYNC_PIPELIN", "MYSYNC_PIPELIN sets nothing, did you mean pipeline?"),
        ("MYSYNC_TOPICS__PARTITIONS", "topics.partitions"),
        ("MYSYNC_TOPICS", "MYSYNC_TOPICS"),
    ],
)
def test_a_wrong_variable_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setenv(name, "x")
    assert words in refused(file)


def test_variables_of_others_are_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MYSYNC_LAB_KAFKA", "MYSYNC_PRODUCER_SERVICE_HOST", "MYSYNC_CRASH"):
        monkeypatch.setenv(name, "x")
    assert load(file).pipeline == "shop"


@pytest.mark.parametrize(("role", "missing"), [("producer", "source"), ("consumer", "target")])
def test_each_service_demands_its_own_server(file: Path, role: str, missing: str) -> None:
    file.write_text(
        "pipeline: shop\nkafka: {}\nsource: {}\ntarget: {}\n".replace(f"{missing}: {{}}", "")
    )
    assert f"the {role} needs the section {missing}" in refused(file, role=role)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path / "nothing.yaml")
    assert "nothing.yaml" in said
    assert "--config" in said


def test_nothing_at_all_is_refused() -> None:
    assert "pipeline is missing" in refused(None)


def test_secrets_are_masked_when_shown(file: Path) -> None:
    shown = masked(load(file))
    assert shown["source"]["password"] == "**********"
    assert "s3cret" not in json.dumps(shown)
    assert "s3cret" not in repr(load(file))


def test_settings_cant_be_changed_after_loading(file: Path) -> None:
    settings = load(file)
    with pytest.raises(Exception, match="frozen"):
        settings.pipeline = "other"


def test_the_schema_describes_what_the_file_may_hold() -> None:
    schema = json_schema()
    assert set(Settings.model_fields) == set(schema["properties"])
    mysql = schema["$defs"]["SourceSettings"]["properties"]
    assert "password_file" in mysql
    assert schema["$defs"]["SourceSettings"]["additionalProperties"] is False
    secrets = {
        name
        for model in schema["$defs"].values()
        for name in model["properties"]
        if name.endswith("_file")
    }
    assert secrets == {
        "key_password_file",
        "password_file",
        "sasl_password_file",
        "ssl_key_password_file",
        "token_file",
    }


@pytest.mark.parametrize(
    ("rename", "words"),
    [
        ("tables: {a.t: x.t, b.t: x.t}", "a.t and b.t are both renamed to x.t"),
        ("tables: {a.t: mysync.t}", "no table may be renamed into mysync"),
        ("databases: {a: MySync}", "no table may be renamed into MySync"),
        ("tables: {a.t: t}", "'t' isn't `database.table`"),
    ],
)
def test_tables_are_renamed_to_places_of_their_own(file: Path, rename: str, words: str) -> None:
    assert words in refused(file, f"{FULL}rename: {{{rename}}}\n")
