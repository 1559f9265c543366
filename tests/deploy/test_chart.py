"""The chart for Kubernetes, as far as it can be judged without Helm."""

import re
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.deploy.files import CHART
from vllm_gateway import codec
from vllm_gateway.settings import Settings
from vllm_gateway.telemetry.metrics import definitions

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = codec.loads((CHART / "values.schema.json").read_bytes())
TEMPLATES = {
    path.relative_to(CHART / "templates").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((CHART / "templates").rglob("*"))
    if path.is_file()
}
ALL = "\n".join(TEMPLATES.values())
_ACTION = re.compile(r"\{\{-?\s*(/\*.*?\*/|.*?)\s*-?\}\}", re.DOTALL)


def actions(text: str) -> list[str]:
    """Return what stands between the braces of a template."""
    return [found for found in _ACTION.findall(text) if not found.startswith("/*")]


def known(path: str) -> bool:
    """Say whether a value is there, or is something of the user's own."""
    inner: Any = VALUES
    for key in path.split("."):
        if not isinstance(inner, dict) or key not in inner:
            return False
        inner = inner[key]
    return True


def test_the_values_fit_their_schema() -> None:
    """And a mistyped one does not."""
    schema = jsonschema_rs.Draft7Validator(SCHEMA)
    schema.validate(VALUES)
    assert not schema.is_valid({**VALUES, "replicaCuont": 3})
    assert not schema.is_valid({**VALUES, "image": {"repository": "x", "digest": "sha256:short"}})


def test_every_value_that_is_used_exists_and_every_one_that_exists_is_used() -> None:
    """Templates read nothing that nobody can set."""
    used = {path for action in actions(ALL) for path in re.findall(r"\.Values\.([A-Za-z0-9.]+)", action)}
    assert {path for path in used if not known(path)} == set()
    assert set(VALUES) == {path.partition(".")[0] for path in used}


def test_the_schema_knows_exactly_the_values() -> None:
    """`global` is Helm's own."""
    assert set(SCHEMA["properties"]) - {"global"} == set(VALUES)
    for name, value in VALUES.items():
        properties = SCHEMA["properties"][name].get("properties")
        if properties is not None:
            assert set(value) <= set(properties), name


def test_every_template_that_is_included_is_defined() -> None:
    """By its name, and each is used."""
    defined = set(re.findall(r'define "([^"]+)"', ALL))
    assert set(re.findall(r'include "([^"]+)"', ALL)) == defined


@pytest.mark.parametrize("name", TEMPLATES)
def test_blocks_are_closed(name: str) -> None:
    """Every `if`, `range`, `with` and `define` has its end."""
    depth = 0
    for action in actions(TEMPLATES[name]):
        word = action.split()[0]
        depth += word in {"if", "range", "with", "define"}
        depth -= word == "end"
        assert depth >= 0, action
    assert depth == 0


def test_the_settings_of_the_chart_are_valid_settings() -> None:
    """A gateway starts with them."""
    Settings.model_validate(VALUES["config"])


def test_a_pod_has_the_time_that_its_drain_takes() -> None:
    """Counted from the settings, so that both change together; a balancer needs its delay."""
    assert 'dig "drain_delay_s" 0' in TEMPLATES["_names.tpl"]
    assert f'dig "drain_s" {Settings().drain_s:g}' in TEMPLATES["_names.tpl"]
    assert 'terminationGracePeriodSeconds: {{ include "gateway.grace" . }}' in TEMPLATES["deployment.yaml"]
    assert VALUES["config"]["drain_delay_s"] >= 5
    assert "maxUnavailable: 0" in TEMPLATES["deployment.yaml"]


def test_pods_are_restricted() -> None:
    """As the strictest of Kubernetes' standards wants it, the pod of the test too."""
    for name in ("deployment.yaml", "tests/ready.yaml"):
        text = TEMPLATES[name]
        for line in (
            "runAsNonRoot: true",
            "seccompProfile: {type: RuntimeDefault}",
            "allowPrivilegeEscalation: false",
            "readOnlyRootFilesystem: true",
            "capabilities: {drop: [ALL]}",
            "automountServiceAccountToken: false",
        ):
            assert line in text, (name, line)


def test_probes_ask_what_they_should() -> None:
    """Replicas that are away make a pod unready, and never restart it."""
    text = TEMPLATES["deployment.yaml"]
    for probe, path in (("startup", "/startupz"), ("liveness", "/livez"), ("readiness", "/readyz")):
        assert re.search(rf"{probe}Probe:\s+httpGet: \{{path: {path},", text)


def test_it_is_scaled_by_a_metric_that_there_is() -> None:
    """The queue is what callers feel."""
    (metric,) = re.findall(r"metric: \{name: (\w+)\}", TEMPLATES["hpa.yaml"])
    assert metric in {each.name for each in vars(definitions).values() if isinstance(each, definitions.Metric)}
