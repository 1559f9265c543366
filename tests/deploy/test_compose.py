"""The Compose file, as far as it can be judged without an engine."""

from typing import Any

import pytest

from tests.deploy.files import DEPLOY, compose, explained, variables

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
OURS = ("gateway", "sim")
ENGINES = ("sim", "vllm-gpu", "vllm-cpu", "vllm-folder")


def test_every_profile_is_there() -> None:
    """The gateway itself belongs to all of them."""
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", ())}
    assert profiles == {"sim", "gpu", "cpu", "folder", "redis", "monitoring", "ui"}
    assert "profiles" not in SERVICES["gateway"]


def test_every_variable_is_explained() -> None:
    """Whoever copies `.env.example` sees what can be set."""
    used = variables((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert used - explained() == set()


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_come_back(name: str) -> None:
    """None is whatever is newest today; each starts again, and all that others wait for say how they do."""
    service = SERVICES[name]
    assert ":latest" not in service["image"]
    assert ":" in service["image"].partition(":-")[2]
    assert service["restart"] == "unless-stopped"
    waited_for = {other for each in SERVICES.values() for other in each.get("depends_on", {})}
    if name in waited_for and name not in OURS:
        assert "healthcheck" in service


@pytest.mark.parametrize("name", ["gateway", "sim", "redis", "prometheus", "grafana"])
def test_what_needs_no_rights_has_none(name: str) -> None:
    """No capabilities, no way to more, and nothing of the image that could be changed."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_for_this_machine_only() -> None:
    """Whoever wants more has to say so."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all(port.startswith(("127.0.0.1:", "${VLLM_GATEWAY_BIND:-127.0.0.1}:")) for port in ports)


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_is_found_by_one_name(name: str) -> None:
    """So that one address leads to the one whose profile runs."""
    assert SERVICES[name]["networks"]["default"]["aliases"] == ["engine"]
    assert "http://engine:8000/v1" in SERVICES["gateway"]["environment"]["VLLM_URL"]
    assert "8000/health" in str(SERVICES[name]["healthcheck"]["test"])


def test_the_gateway_has_more_time_to_stop_than_its_drain_takes() -> None:
    """Otherwise streams would be cut by a kill."""
    assert int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s")) > 30 + 2


def test_a_model_in_a_folder_is_never_downloaded() -> None:
    """It is mounted where earlier deployments had it, and cannot be changed from inside."""
    folder = SERVICES["vllm-folder"]
    assert folder["environment"]["HF_HUB_OFFLINE"] == "1"
    assert folder["volumes"] == ["${MODEL_FOLDER:-./model}:/app/model:ro"]


def test_volumes_and_configs_that_are_used_are_declared() -> None:
    """And no others."""
    whole = compose()
    named = {
        source
        for service in SERVICES.values()
        for source in (str(volume).split(":")[0] for volume in service.get("volumes", ()))
        if not source.startswith((".", "$"))
    }
    assert named | {"hf-cache"} == set(whole["volumes"])
    used = {each["source"] for service in SERVICES.values() for each in service.get("configs", ())}
    assert used == set(whole["configs"])
