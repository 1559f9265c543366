"""What has just ended."""

from typing import Any

from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.recent import MOST_ENDED, MOST_NOTABLE, Recent, summed_up
from vllm_gateway.telemetry.usage.record import UsageRecord


def record(**changes: Any) -> UsageRecord:  # noqa: ANN401 - any member
    """Return a request of two seconds that ended at 1000."""
    usual: dict[str, Any] = {
        "request_id": "request-1",
        "path": "/v1/chat/completions",
        "started": 998.0,
        "ended": 1000.0,
        "outcome": "ok",
        "status": 200,
        "caller": "key-1",
        "model_asked": "a",
        "model": "a",
        "replica": "one-1",
        "attempts": 1,
        "resumed": 0,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cached_tokens": 0,
        "first_token_s": 1.0,
    }
    return UsageRecord(**{**usual, **changes})


def told(*records: UsageRecord, wall: float = 1000.0) -> dict[str, Any]:
    """Return what is said of these."""
    recent = Recent()
    for each in records:
        recent.tell(each)
    return summed_up(recent.ended(), recent.notable(), wall)


def test_requests_are_summed_up_by_replica_model_and_caller() -> None:
    """How many, how many not whole, how many tokens; nobody's requests have no name."""
    said = told(
        record(),
        record(replica="one-2", outcome="upstream_error"),
        record(caller=None, model="b"),
        record(replica=None, model=None, outcome="auth"),
    )
    assert (said["requests"], said["failed"], said["prompt_tokens"], said["completion_tokens"]) == (4, 2, 40, 20)
    for kind, expected in {
        "replicas": {"one-1": (2, 0), "one-2": (1, 1)},
        "models": {"a": (2, 1), "b": (1, 0)},
        "callers": {"key-1": (3, 2), "": (1, 0)},
    }.items():
        assert {each["name"]: (each["requests"], each["failed"]) for each in said[kind]} == expected


def test_times_are_the_median_and_the_95th_percentile() -> None:
    """Of the requests whose first token was seen; between tokens, of those that had two."""
    said = told(*(record(first_token_s=n / 100) for n in range(100)), record(first_token_s=None))
    assert said["ttft_s"] == {"p50": 0.5, "p95": 0.95}
    assert said["itl_s"] == {"p50": round((2 - 0.49) / 4, 6), "p95": round((2 - 0.04) / 4, 6)}
    assert told(record(completion_tokens=1))["itl_s"] is None
    assert told(record(first_token_s=None))["ttft_s"] is None


def test_only_the_last_minute_counts() -> None:
    """What went wrong before is still told one by one."""
    said = told(record(ended=900.0, outcome="timeout"), record())
    assert (said["requests"], said["window_s"]) == (1, 60)
    assert [each["outcome"] for each in said["notable"]] == ["timeout"]


def test_what_did_not_go_as_it_should_is_told_with_the_latest_first() -> None:
    """Retried and resumed ones too, although they were answered; those whose caller left are no trouble."""
    said = told(*(record(outcome=outcome, ended=900 + n) for n, outcome in enumerate(Outcome)))
    outcomes = [each["outcome"] for each in said["notable"]]
    assert set(outcomes) == set(Outcome) - {Outcome.OK, Outcome.CLIENT_GONE}
    assert [each["ended"] for each in said["notable"]] == sorted((e["ended"] for e in said["notable"]), reverse=True)


def test_no_more_is_kept_than_is_allowed() -> None:
    """A busy gateway tells over how many seconds its sums go."""
    said = told(*(record(ended=950 + n / 100, outcome="auth") for n in range(MOST_ENDED + 500)), wall=966)
    assert said["requests"] == MOST_ENDED
    assert said["window_s"] == 11
    assert len(said["notable"]) == MOST_NOTABLE
