"""The chart lints, renders and fits Kubernetes' own schemas; its settings are ones mysync takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from mysync_runtime.loading import load

CHART = Path(__file__).parents[2] / "charts" / "mysync"
CASES = ["small", "full"]
# The oldest that the chart names, and newer ones.
KUBERNETES = ["1.27", "1.31", "1.34"]


def values(case: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CHART / "ci" / f"{case}-values.yaml").read_text()))


def render(given: dict[str, Any]) -> dict[str, str]:
    with helm_python.Chart.load(CHART) as chart:
        return chart.render(given, name="demo", namespace="prod")


def objects(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, text in render(given).items():
        if path.endswith(".yaml"):
            yield from (found for found in yaml.safe_load_all(text) if found)


def deployments(case: str) -> dict[str, dict[str, Any]]:
    """By component."""
    return {
        found["metadata"]["labels"]["app.kubernetes.io/component"]: found
        for found in objects(values(case))
        if found["kind"] == "Deployment"
    }


@pytest.mark.parametrize("case", CASES)
def test_the_chart_lints_without_a_warning(case: str) -> None:
    report = helm_python.lint(CHART, values(case), strict=True, kube_version="v1.30.0")
    # 1 is information: that there is no icon.
    assert report["errors"] == []
    assert [m for m in report["messages"] if m["severity"] > 1] == []


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", CASES)
def test_every_object_fits_the_schemas_of_kubernetes(case: str, version: str) -> None:
    found = list(objects(values(case)))
    assert sorted(one["kind"] for one in found) == ["ConfigMap", "Deployment", "Deployment"]
    for one in found:
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("service", ["producer", "consumer"])
@pytest.mark.parametrize("case", CASES)
def test_pods_run_with_the_least_they_need(case: str, service: str) -> None:
    pod = deployments(case)[service]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["command"] == [f"mysync-{service}", "run"]


@pytest.mark.parametrize("service", ["producer", "consumer"])
@pytest.mark.parametrize("case", CASES)
def test_the_pods_settings_are_read_by_mysync(
    case: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the pod's own variables, its mounts in a folder of the test."""
    pod = deployments(case)[service]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (config,) = [found for found in objects(values(case)) if found["kind"] == "ConfigMap"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    for variable in container["env"]:
        value = variable["value"]
        if value.startswith(mounts["secrets"]):
            secret = tmp_path / Path(value).name
            secret.write_text(f"word-{Path(value).name}\n")
            value = str(secret)
        elif value.startswith(mounts["config"]):
            path = tmp_path / Path(value).name
            path.write_text(config["data"][Path(value).name])
            value = str(path)
        monkeypatch.setenv(variable["name"], value)
    settings = load(role="producer" if service == "producer" else "consumer")
    assert settings.http.host == "0.0.0.0"
    ports = {"producer": settings.http.producer_port, "consumer": settings.http.consumer_port}
    assert container["ports"][0]["containerPort"] == ports[service]
    login = settings.source if service == "producer" else settings.target
    assert login.password.get_secret_value().startswith("word-")
    assert settings.grace_seconds < pod["terminationGracePeriodSeconds"]
    if case == "full":
        assert settings.kafka.sasl_password is not None
        assert settings.kafka.sasl_password.get_secret_value() == "word-kafka"


@pytest.mark.parametrize("service", ["producer", "consumer"])
def test_another_configuration_is_another_pod(service: str) -> None:
    def annotation(given: dict[str, Any]) -> str:
        for one in objects(given):
            if one["metadata"]["name"].endswith(service):
                template = one["spec"]["template"]
                return str(template["metadata"]["annotations"]["checksum/config"])
        raise AssertionError(service)

    given, changed = values("small"), values("small")
    changed["settings"]["log"] = {"level": "debug"}
    assert annotation(given) == annotation(values("small"))
    assert annotation(given) != annotation(changed)


def test_the_selector_of_a_service_finds_its_own_pods_only() -> None:
    found = deployments("full")
    for service, one in found.items():
        selector = one["spec"]["selector"]["matchLabels"].items()
        for other, two in found.items():
            labels = two["spec"]["template"]["metadata"]["labels"].items()
            assert (selector <= labels) == (service == other)


def test_a_service_can_be_left_out() -> None:
    given = values("small") | {"producer": {"enabled": False}}
    assert [one["metadata"]["name"] for one in objects(given) if one["kind"] == "Deployment"] == [
        "demo-mysync-consumer"
    ]


def test_the_notes_warn_of_consumers_that_have_nothing_to_do() -> None:
    assert "WARNING: 20 consumers share 16 partitions" in notes("full")
    assert "WARNING" not in notes("small")


def notes(case: str) -> str:
    return render(values(case))["mysync/templates/NOTES.txt"]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("settings", "pipeline", "with a space"),
        ("settings", "pipeline", ""),
        ("settings", "source", {"host": "h", "user": "u", "password": "in the open"}),
        ("settings", "kafka", {"bootstrap_servers": []}),
        ("settings", "topics", {"partitions": 0}),
        ("settings", "http", {"host": "127.0.0.1"}),
        ("existingSecret", "name", ""),
        ("existingSecret", "nmae", "misspelt"),
        ("consumer", "replicas", -1),
        ("consumer", "replica", 2),
        ("image", "pullPolicy", "Sometimes"),
    ],
)
def test_wrong_values_are_refused(section: str, key: str, value: object) -> None:
    given = values("small")
    given.setdefault(section, {})[key] = value
    with (
        helm_python.Chart.load(CHART) as chart,
        pytest.raises(helm_python.HelmError, match=f"{section}|{key}"),
    ):
        chart.validate_schema(chart.merge_values(given))


def test_the_defaults_alone_are_refused_because_names_are_missing() -> None:
    with (
        helm_python.Chart.load(CHART) as chart,
        pytest.raises(helm_python.HelmError, match="pipeline"),
    ):
        chart.validate_schema(chart.values)
