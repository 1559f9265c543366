"""What the replicas say of themselves."""

from pydantic import SecretStr

from tests.scripted import Visit, scripted
from tests.wire.sims import fast
from vllm_gateway.doctor.finding import Level
from vllm_gateway.doctor.replicas import Seen, differences, look_at_replicas
from vllm_gateway.settings import Settings, Upstream
from vllm_gateway.sim import start


async def test_a_replica_tells_its_version_and_models() -> None:
    """With the key that it wants; with a wrong one the cure names the setting."""
    sim = await start(fast(api_key="sesame-sesame"))
    good = Upstream(url=sim.url, api_key=SecretStr("sesame-sesame"))
    bad = Upstream(url=sim.url, api_key=SecretStr("open-sesame"), route="other")
    found = await look_at_replicas(Settings(upstreams=(good, bad)))
    await sim.close()
    assert [each.level for each in found] == [Level.OK, Level.FAIL]
    assert "vLLM 0." in found[0].says
    assert "sim-small" in found[0].says
    assert "upstreams[].api_key" in found[1].cure


async def test_one_that_is_away_or_dead_is_a_failure() -> None:
    """An engine that died says 503, and that is told apart from an address where nobody is."""

    async def dead(visit: Visit) -> None:
        await visit.request()
        await visit.say_json(b"", "503 Service Unavailable")

    async with scripted(dead) as server:
        upstreams = (Upstream(url="http://127.0.0.1:1"), Upstream(url=server.url))
        found = await look_at_replicas(Settings(upstreams=upstreams))
    assert [each.level for each in found] == [Level.FAIL, Level.FAIL]
    assert "cannot be reached" in found[0].says
    assert "status 503" in found[1].says


async def test_none_at_all_is_a_warning() -> None:
    """The embedded engine would answer, which may be what somebody wants."""
    (found,) = await look_at_replicas(Settings())
    assert found.level is Level.WARN


def test_replicas_of_one_route_should_be_alike() -> None:
    """Models, contexts and versions; across routes they may differ."""
    one, two = Upstream(url="http://a:1"), Upstream(url="http://b:1")
    other = Upstream(url="http://c:1", route="other")
    alike = [Seen(each, "1", ("m",), {"m": 64}) for each in (one, two)]
    assert list(differences(alike)) == []
    different = [Seen(one, "1", ("m",), {"m": 64}), Seen(two, "2", ("n",), {"m": 32}), Seen(other, "3", ("x",), {})]
    found = list(differences(different))
    assert [each.subject for each in found] == ["route default"] * 3
    assert {each.level for each in found} == {Level.WARN}
