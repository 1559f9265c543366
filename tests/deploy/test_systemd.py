"""The units for systemd."""

import pytest

from tests.deploy.files import unit

GATEWAY, VLLM = unit("vllm-gateway.service"), unit("vllm@.service")
SERVICE = dict(GATEWAY["Service"])
KNOWN = {
    "Unit": {"Description", "Documentation", "After", "Wants", "Before"},
    "Install": {"WantedBy"},
}


def test_the_gateway_tells_when_it_is_ready_and_reloads_without_a_stop() -> None:
    """By the main process alone; SIGHUP reads the settings again."""
    assert (SERVICE["Type"], SERVICE["NotifyAccess"]) == ("notify", "main")
    assert SERVICE["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert "config check" in SERVICE["ExecStartPre"]


def test_the_gateway_gets_the_time_that_its_drain_takes() -> None:
    """The defaults and much more; only the main process hears of the stop."""
    assert int(SERVICE["TimeoutStopSec"]) > 30 + 2
    assert SERVICE["KillMode"] == "mixed"
    assert int(SERVICE["LimitNOFILE"]) >= 65536


@pytest.mark.parametrize(
    "name",
    ["DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectKernelTunables",
     "RestrictNamespaces", "RestrictSUIDSGID", "MemoryDenyWriteExecute"],
)  # fmt: skip
def test_the_gateway_has_no_rights_that_it_does_not_use(name: str) -> None:
    """It needs a port, its settings and one folder."""
    assert SERVICE[name] == "yes"
    assert SERVICE["ProtectSystem"] == "strict"
    assert SERVICE["CapabilityBoundingSet"] == ""
    assert SERVICE["StateDirectory"] == "vllm-gateway"


def test_vllm_listens_on_this_machine_only_and_is_started_when_it_answers() -> None:
    """So the gateway, which starts after it, finds it."""
    service = dict(VLLM["Service"])
    assert "--host 127.0.0.1" in service["ExecStart"]
    assert "/health" in service["ExecStartPost"]
    assert "vllm-gateway.service" in dict(VLLM["Unit"])["Before"]


@pytest.mark.parametrize("found", [GATEWAY, VLLM], ids=["vllm-gateway", "vllm@"])
def test_units_hold_known_sections(found: dict[str, list[tuple[str, str]]]) -> None:
    """A setting in the wrong section is ignored by systemd without a word."""
    assert set(found) == {"Unit", "Service", "Install"}
    for section, known in KNOWN.items():
        assert {key for key, _ in found[section]} <= known
    assert all(key.isalpha() for key, _ in found["Service"])
