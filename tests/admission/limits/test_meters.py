"""Which limits a request has to keep."""

from vllm_gateway.admission.limits.meters import DAY_S, MINUTE_S, Kind, Meter, Meters
from vllm_gateway.callers import Allowance
from vllm_gateway.settings.admission import Limits, LimitSet


def test_without_limits_there_is_nothing_to_count() -> None:
    """No meter, whatever is asked."""
    assert Meters(Limits()).of("key:a", None, "m") == ()


def test_every_limit_becomes_a_meter() -> None:
    """With what the request wants of it."""
    limits = Limits(requests_per_second=1, requests_per_minute=2, tokens_per_minute=3, tokens_per_day=4, concurrent=5)
    assert Meters(limits).of("key:a", None, "m") == (
        Meter(Kind.RATE, "requests", "key:a", 1, 1.0),
        Meter(Kind.RATE, "requests", "key:a", 2, MINUTE_S),
        Meter(Kind.RATE, "tokens", "key:a", 3, MINUTE_S),
        Meter(Kind.BUDGET, "tokens", "key:a", 4, DAY_S),
        Meter(Kind.SLOTS, "concurrent", "key:a", 5, 0.0),
    )


def test_a_key_s_own_limits_come_first() -> None:
    """Where it has none, what every caller may use counts."""
    meters = Meters(Limits(requests_per_minute=2, concurrent=5)).of("key:a", Allowance(concurrent=9), "m")
    assert [(meter.of, meter.amount) for meter in meters] == [("requests", 2), ("concurrent", 9)]


def test_a_model_and_all_have_limits_of_their_own() -> None:
    """They are shared by every caller."""
    limits = Limits(models={"m": LimitSet(requests_per_minute=7)}, total=LimitSet(concurrent=8))
    meters = Meters(limits)
    assert [each.scope for each in meters.of("key:a", None, "m")] == ["model:m", "all"]
    assert [each.scope for each in meters.of("key:a", None, "other")] == ["all"]


def test_a_request_takes_one_of_everything_but_of_tokens() -> None:
    """Of those as many as it may come to."""
    meters = Meters(Limits(requests_per_second=1, tokens_per_minute=3, concurrent=5)).of("key:a", None, "m")
    assert [meter.cost(70) for meter in meters] == [1, 70, 1]


def test_what_is_counted_apart_has_names_of_its_own() -> None:
    """Another scope, another window, something else."""
    limits = Limits(requests_per_second=1, requests_per_minute=2, tokens_per_minute=3, tokens_per_day=4, concurrent=5)
    meters = [each for scope in ("key:a", "ip:a") for each in Meters(limits).of(scope, None, "m")]
    assert len({meter.key for meter in meters}) == 10


def test_a_meter_knows_its_setting() -> None:
    """Every limit that can be set has one."""
    names = dict.fromkeys(Allowance.__slots__, 1)
    meters = Meters(Limits(**names)).of("key:a", None, "m")
    assert {meter.limit for meter in meters} == names.keys()
