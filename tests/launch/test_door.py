"""Whether the gateway will start, before any model is loaded."""

import socket
from pathlib import Path

import pytest

from vllm_gateway.launch.door import check_gateway
from vllm_gateway.launch.wishes import Wishes, WishImpossible
from vllm_gateway.settings import SettingsInvalid

QUIET = {"GATEWAY_SESSION__BACKEND": "memory"}


def test_settings_that_are_wrong_are_told_first() -> None:
    """Nobody waits for a model to learn of it."""
    with pytest.raises(SettingsInvalid, match="GATEWAY_DRAIN_S"):
        check_gateway(Wishes(("a",), port=0), QUIET | {"GATEWAY_DRAIN_S": "soon"})


def test_models_that_share_and_several_workers_are_told_first() -> None:
    """What the engines are counts, too."""
    upstreams = '[{"url": "http://127.0.0.1:1", "wake_on_request": true, "accelerator": "slot-0"}]'
    with pytest.raises(SettingsInvalid, match="set workers to 1"):
        check_gateway(Wishes(("a",), port=0), {"GATEWAY_UPSTREAMS": upstreams, "GATEWAY_WORKERS": "2"})


@pytest.mark.parametrize("is_flag", [True, False])
def test_a_port_that_is_taken_is_told_first(is_flag: bool, tmp_path: Path) -> None:
    """Whether it is a flag or stands in the settings."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = tmp_path / "gateway.yaml"
        config.write_text(f"port: {port}\n", encoding="utf-8")
        wishes = Wishes(("a",), port=port) if is_flag else Wishes(("a",), config=str(config))
        with pytest.raises(WishImpossible, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            check_gateway(wishes, QUIET)
    check_gateway(wishes, QUIET)


def test_an_address_that_is_not_of_this_machine_is_told_first() -> None:
    """With the flag to change."""
    with pytest.raises(WishImpossible, match="Choose another --host or --port"):
        check_gateway(Wishes(("a",), host="192.0.2.1", port=0), QUIET)
