"""Which faults happen to which requests."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.sim.faults.grammar import parse_all
from vllm_gateway.sim.faults.plan import Plan

CHAT = "/v1/chat/completions"


def plan(text: str, seed: int = 0) -> Plan:
    """Return a plan with these faults."""
    made = Plan(seed=seed)
    made.add(parse_all(text))
    return made


def met(plan: Plan, path: str = CHAT, *, is_work: bool = True) -> list[str]:
    """Return what happens to one request."""
    return [str(fault) for fault in plan.meet(path, is_work=is_work)]


def test_a_fault_happens_to_what_generates_only() -> None:
    """Probes and lists of models are left alone unless a path names them."""
    armed = plan("reset@7")
    assert met(armed) == ["reset@7"]
    assert met(armed, "/health", is_work=False) == []


def test_a_path_chooses_requests() -> None:
    """Every path that begins so, and no other."""
    armed = plan("status=503/v1/models")
    assert met(armed, "/v1/models", is_work=False) == ["status=503/v1/models"]
    assert met(armed) == []


def test_a_fault_happens_so_often_and_no_more() -> None:
    """After its times it is over and no longer listed."""
    armed = plan("resetx2,eof")
    assert [met(armed) for _ in range(3)] == [["resetx2", "eof"], ["resetx2", "eof"], ["eof"]]
    assert armed.listed() == ["eof"]


@given(st.integers(0, 99))
def test_chance_is_the_same_for_the_same_seed(seed: int) -> None:
    """A share of requests meets the fault, and a second run meets it at the same ones."""
    one, other = plan("reset%25", seed), plan("reset%25", seed)
    first = [bool(met(one)) for _ in range(400)]
    assert first == [bool(met(other)) for _ in range(400)]
    assert 50 < sum(first) < 160


def test_standing_faults_happen_to_no_single_request() -> None:
    """They are listed, and done elsewhere."""
    armed = plan("wedge,flap=1:1")
    assert met(armed) == []
    assert armed.listed() == ["wedge", "flap=1:1"]


def test_a_models_name_may_say_a_fault() -> None:
    """What follows the exclamation mark happens to that request."""
    assert list(map(str, Plan().meet_by_name(b'{"model": "sim!reset@7,slow=1"}'))) == ["reset@7", "slow=1"]


def test_times_count_over_requests_that_name_the_same_fault() -> None:
    """`x1` in a name means the first request only, so that a second try succeeds."""
    armed, body = Plan(), b'{"model":"sim!status=503x1"}'
    assert [len(armed.meet_by_name(body)) for _ in range(3)] == [1, 0, 0]
    armed.clear()
    assert len(armed.meet_by_name(body)) == 1


def test_other_names_say_nothing() -> None:
    """A name without a fault, with nonsense, or an exclamation mark elsewhere, is just that."""
    for body in (b'{"model":"sim"}', b'{"model":"sim!oops"}', b'{"model":"sim","prompt":"Hi!"}', b""):
        assert Plan().meet_by_name(body) == []


def test_clearing_ends_everything() -> None:
    """Nothing goes wrong any more."""
    armed = plan("reset,eof")
    armed.clear()
    assert met(armed) == []
    assert armed.listed() == []
