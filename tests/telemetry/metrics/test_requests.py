"""What is measured of requests."""

from typing import Any

from tests.exchanges import exchange
from vllm_gateway.callers import Caller
from vllm_gateway.clock import HandClock
from vllm_gateway.exchange import Asked, Exchange, Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.metrics import definitions as of
from vllm_gateway.telemetry.metrics.requests import MOST_KEYS, MOST_MODELS, Requests
from vllm_gateway.telemetry.metrics.series import OTHER, Labels
from vllm_gateway.telemetry.usage.record import record_of
from vllm_gateway.trail import Trail

PATH = "/v1/chat/completions"


def over(**changes: Any) -> Exchange:  # noqa: ANN401 - any field
    """Return an exchange that was answered whole; its clock stands at 10 s."""
    one = exchange(PATH)
    one.model, one.status, one.attempts, one.usage = "tiny", 200, 1, Usage(100, 11, 64)
    one.trail = Trail(HandClock(now=10.0).now, first_token_at=None)
    one.started = 8.0
    for name, value in changes.items():
        setattr(one, name, value)
    return one


def see(requests: Requests, one: Exchange, outcome: Outcome) -> None:
    """Have an exchange that is over taken in, as the ledger does."""
    requests.see(one, record_of(one, outcome, HandClock(now=10.0)))


def sums(requests: Requests, metric: of.Metric) -> dict[Labels, tuple[float, float]]:
    """Return the sum and the number of values of each series of a histogram."""
    series = requests.snapshot()[metric.name]
    return {labels: (row[0], sum(row[1:])) for labels, row in series.items() if isinstance(row, list)}


def test_a_request_is_counted_once_with_its_outcome() -> None:
    """By its path, the model that answered, and the class of its status."""
    requests = Requests()
    see(requests, over(), Outcome.OK)
    see(requests, over(), Outcome.OK)
    see(requests, over(model=None, status=0), Outcome.CLIENT_GONE)
    see(requests, over(status=503), Outcome.REFUSED_OVERLOAD)
    assert requests.snapshot()[of.REQUESTS.name] == {
        (PATH, "tiny", "2xx", "ok"): 2,
        (PATH, OTHER, "none", "client_gone"): 1,
        (PATH, "tiny", "5xx", "refused_overload"): 1,
    }
    assert sums(requests, of.DURATION) == {("tiny",): (6.0, 3), (OTHER,): (2.0, 1)}


def test_tokens_are_told_apart() -> None:
    """What came out of a prefix cache is no new prompt; a replica that says nonsense makes no count go down."""
    requests = Requests()
    see(requests, over(), Outcome.OK)
    see(requests, over(usage=Usage(5, 1, 50)), Outcome.OK)
    assert requests.snapshot()[of.TOKENS.name] == {
        ("tiny", "input", "false"): 36,
        ("tiny", "input", "true"): 69,
        ("tiny", "output", "false"): 12,
    }


def test_the_time_between_tokens_is_one_value_for_each_stream() -> None:
    """From its first event to its end, by the tokens behind the first; only where the answer was whole."""
    requests = Requests()
    for outcome in (Outcome.OK, Outcome.UPSTREAM_TRUNCATED):
        one = over()
        one.trail.first_token_at = 9.0
        see(requests, one, outcome)
    see(requests, over(), Outcome.OK)  # not a stream
    assert sums(requests, of.FIRST_TOKEN) == {("tiny",): (2.0, 2)}
    assert sums(requests, of.BETWEEN_TOKENS) == {("tiny",): (0.1, 1)}


def test_what_the_gateway_took_is_told_by_phase() -> None:
    """A phase that a request never reached is not counted; neither is a wait that was none."""
    requests = Requests()
    one = over()
    one.trail.auth_s, one.trail.read_s, one.trail.route_s, one.trail.connect_s = 0.1, 0.2, 0.3, 0.4
    one.trail.queue_s = 1.5
    refused = over()
    refused.trail.auth_s = 0.5
    see(requests, one, Outcome.OK)
    see(requests, refused, Outcome.BAD_REQUEST)
    assert sums(requests, of.OVERHEAD) == {
        ("auth",): (0.6, 2),
        ("read",): (0.2, 1),
        ("route",): (0.3, 1),
        ("connect",): (0.4, 1),
    }
    assert sums(requests, of.QUEUE_WAIT) == {(): (1.5, 1)}


def test_what_stood_in_the_way_is_counted() -> None:
    """The error's code, and the limit where it was one."""
    requests = Requests()
    one = over(status=429)
    one.trail.error, one.trail.limit = "rate_limit_exceeded", ("requests_per_minute", "key")
    see(requests, one, Outcome.REFUSED_LIMIT)
    snapshot = requests.snapshot()
    assert snapshot[of.ERRORS.name] == {("rate_limit_exceeded",): 1}
    assert snapshot[of.REJECTIONS.name] == {("requests_per_minute", "key"): 1}


def test_callers_who_leave_are_counted_by_how_far_it_had_come() -> None:
    """While they sent, waited for a replica, waited for its first words, or were hearing them."""
    requests = Requests()
    operation = exchange(PATH).operation
    asked: Asked = operation.read(b'{"model":"tiny","messages":[{"role":"user","content":"Hello"}]}')
    hearing = over(asked=asked)
    hearing.trail.first_token_at = 9.0
    for one in (over(asked=None), over(asked=asked, attempts=0), over(asked=asked), hearing):
        see(requests, one, Outcome.CLIENT_GONE)
    assert requests.snapshot()[of.DISCONNECTS.name] == {
        ("request",): 1,
        ("queue",): 1,
        ("answer",): 1,
        ("stream",): 1,
    }


def test_where_an_answer_came_from_is_counted_as_the_caller_is_told() -> None:
    """The header says it already."""
    requests = Requests()
    for value in (b"hit", b"hit", b"miss"):
        see(requests, over(told=[(b"x-cache", value), (b"age", b"0")]), Outcome.OK)
    assert requests.snapshot()[of.CACHE.name] == {("hit",): 2, ("miss",): 1}


def test_ten_thousand_names_make_no_series() -> None:
    """Models and keys beyond the first ones are counted together; what a caller only names is not counted at all."""
    requests = Requests()
    for number in range(10_000):
        see(requests, over(model=None), Outcome.BAD_REQUEST)
        see(requests, over(model=f"model-{number}", caller=Caller(f"key-{number}")), Outcome.OK)
    snapshot = requests.snapshot()
    assert len(snapshot[of.REQUESTS.name]) == MOST_MODELS + 2
    assert len(snapshot[of.KEY_REQUESTS.name]) == MOST_KEYS + 1
    assert snapshot[of.KEY_REQUESTS.name][OTHER,] == 10_000 - MOST_KEYS
    assert sum(value for value in snapshot[of.REQUESTS.name].values() if not isinstance(value, list)) == 20_000


def test_a_snapshot_does_not_change_afterwards() -> None:
    """It is as of one moment."""
    requests = Requests()
    see(requests, over(), Outcome.OK)
    before = requests.snapshot()
    see(requests, over(), Outcome.OK)
    assert before != requests.snapshot()
    assert before[of.REQUESTS.name] == {(PATH, "tiny", "2xx", "ok"): 1}
    assert list(before[of.DURATION.name].values()) != list(requests.snapshot()[of.DURATION.name].values())


def test_a_budget_is_told_until_its_day_is_over() -> None:
    """As the last request of its key was told; keys without one have no series, nor those beyond the first so many."""
    clock = HandClock(now=10.0)
    requests = Requests(clock.now)
    for key, used in (("one", 0.25), ("one", 0.5), ("two", 0.9), ("none", None)):
        one = over(caller=Caller(key))
        one.trail.budget = None if used is None else (used, 100.0 if key == "one" else 50.0)
        see(requests, one, Outcome.OK)
    assert requests.snapshot()[of.BUDGET_USED.name] == {("one",): 0.5, ("two",): 0.9}
    clock.move(40)
    assert requests.snapshot()[of.BUDGET_USED.name] == {("one",): 0.5}
    clock.move(50)
    assert requests.snapshot()[of.BUDGET_USED.name] == {}
    for number in range(MOST_KEYS + 1):
        one = over(caller=Caller(str(number)))
        one.trail.budget = (0.1, 200.0)
        see(requests, one, Outcome.OK)
    assert len(requests.snapshot()[of.BUDGET_USED.name]) == MOST_KEYS - 3
