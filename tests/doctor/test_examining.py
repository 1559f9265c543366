"""Everything that is looked at."""

from pathlib import Path

from tests.wire.sims import fast
from vllm_gateway.clock import HandClock
from vllm_gateway.doctor.examining import examine, look_at_machine, told
from vllm_gateway.doctor.finding import Level, has_failed
from vllm_gateway.settings import Problem, load
from vllm_gateway.sim import start


async def test_a_gateway_that_could_start_has_no_failure(tmp_path: Path) -> None:
    """Every subject has its line, from the versions to the replicas."""
    sim = await start(fast())
    environment = {"GATEWAY_UPSTREAMS": f"[{{url: '{sim.url}'}}]", "GATEWAY_PORT": "0"}
    environment["GATEWAY_SESSION__PATH"] = str(tmp_path / "s.sqlite")
    loaded = load(config=None, flags=(), environment=environment, directory=tmp_path)
    found = await examine(loaded, HandClock(), [])
    await sim.close()
    assert not has_failed(found), found
    subjects = [each.subject for each in found]
    assert subjects[:4] == ["versions", "open files", "clock", "settings"]
    assert {"session.path", "extras", "access", "port"} < set(subjects)


def test_settings_that_cannot_be_used_are_failures_one_by_one() -> None:
    """The rest is not looked at, for nobody knows what it would be."""
    found = list(told([Problem("gateway.yaml:1", "is wrong", ("port",))]))
    assert [each.level for each in found] == [Level.FAIL]
    assert "port is wrong" in found[0].says


def test_the_machine_can_be_looked_at_without_settings() -> None:
    """It is what is left when they are wrong."""
    assert [each.subject for each in look_at_machine(HandClock())] == ["versions", "open files", "clock"]
