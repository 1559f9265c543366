"""Ports that the gateway wants to listen on."""

import socket

from tests.gateway import gateway
from vllm_gateway.doctor.finding import Finding, Level
from vllm_gateway.doctor.ports import look_at_ports, why_not_free
from vllm_gateway.settings import Settings


async def looked(port: int, **settings: object) -> list[Finding]:
    """Look at the ports of a gateway that would listen there."""
    return [found async for found in look_at_ports(Settings.model_validate({"port": port, **settings}))]


async def test_a_port_that_is_free_is_well() -> None:
    """So is one that the system would choose."""
    levels = set()
    for _ in range(5):  # somebody else may have taken one of them meanwhile
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        levels.add((await looked(port))[0].level)
    assert Level.OK in levels
    assert (await looked(0))[0].level is Level.OK


async def test_a_gateway_that_runs_there_already_is_no_failure() -> None:
    """Whoever asks the doctor about a running gateway wants to know about the rest."""
    async with gateway() as door:
        (found,) = await looked(door.port)
    assert (found.level, "already" in found.says) == (Level.OK, True)


async def test_a_port_of_somebody_else_is_a_failure() -> None:
    """The admin port is looked at as well, where there is one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(0)
        admin = {"admin": {"port": port}, "auth": {"admin_key": "an-admin-key-of-the-tests"}}
        found = await looked(0, **admin)
    assert [each.level for each in found] == [Level.OK, Level.FAIL]
    assert "Choose another admin.port" in found[1].cure


def test_an_address_of_another_machine_is_told() -> None:
    """It cannot be listened on here."""
    assert why_not_free("192.0.2.1", 80) is not None
