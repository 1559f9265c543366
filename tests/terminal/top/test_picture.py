"""What the admin routes say at one moment."""

from typing import Any

import pytest

from vllm_gateway import codec
from vllm_gateway.terminal.top.picture import Percentiles, Picture, clean, read_picture

REPLICA: dict[str, Any] = {
    "name": "tiny-1",
    "route": "tiny",
    "url": "http://127.0.0.1:8000",
    "draining": False,
    "known": True,
    "sleeping": False,
    "health": "closed",
    "cause": None,
    "outstanding": 3,
    "models": ["m"],
    "version": None,
}
SUMS: dict[str, Any] = {
    "requests": 4,
    "failed": 1,
    "prompt_tokens": 10,
    "completion_tokens": 20,
    "ttft_s": {"p50": 0.1, "p95": 0.2},
    "itl_s": None,
}


def shot(*replicas: dict[str, Any], **recent: Any) -> Picture:  # noqa: ANN401 - any member
    """Return the picture of these replicas."""
    usual = {**SUMS, "replicas": [], "models": [], "callers": [], "notable": [], "window_s": 60, "waiting": 2}
    return read_picture({"data": replicas}, {"data": []}, {**usual, **recent}, caller_names={"key_1": "ann"})


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({}, "in"),
        ({"health": "half_open", "cause": "failed"}, "trying"),
        ({"health": "open", "cause": "stalled"}, "out"),
        ({"health": "open", "draining": True}, "drained"),
        ({"health": "open", "known": False}, "new"),
        ({"sleeping": True}, "asleep"),
        ({"sleeping": True, "health": "open"}, "out"),
    ],
)
def test_one_word_says_how_a_replica_is(told: dict[str, Any], state: str) -> None:
    """What was ordered comes before what was found out."""
    assert shot({**REPLICA, **told}).replicas[0].state == state


def test_what_a_replica_does_not_tell_is_not_known() -> None:
    """Not 0; but its requests are counted by the gateway."""
    row = shot(REPLICA, replicas=[{**SUMS, "name": "tiny-1"}, {**SUMS, "name": "gone-1"}]).replicas[0]
    assert (row.running, row.kv, row.made_per_s, row.asked, row.requests) == (None, None, None, 3, 4)
    assert (row.ttft, row.itl) == (Percentiles(0.1, 0.2), Percentiles())


def test_speeds_are_added_up_over_the_fleet() -> None:
    """Those who do not tell count for nothing."""
    fast = {**REPLICA, "read_tokens_per_s": 10.0, "made_tokens_per_s": 5.5}
    assert (shot(fast, fast, REPLICA).read_per_s, shot(fast, fast, REPLICA).made_per_s) == (20, 11)


def test_callers_have_names_where_their_keys_have() -> None:
    """Those without keep their ids."""
    callers = [{**SUMS, "name": name} for name in ("key_1", "key_2", "")]
    assert [row.name for row in shot(callers=callers).callers] == ["ann", "key_2", ""]
    assert shot(callers=callers).callers[0].tokens == 30


def test_nothing_that_a_terminal_would_obey_gets_through() -> None:
    """Callers choose models' names and request ids, replicas choose theirs."""
    assert clean("\x1b[31mred\x07\u202e\u2028") == "\ufffd[31mred\ufffd\ufffd\ufffd"
    assert clean("модель-1 模型") == "модель-1 模型"
    assert clean(None) == ""
    assert len(clean("x" * 999)) == 200
    row = shot({**REPLICA, "name": "a\nb", "models": ["\x9b2J"]}).replicas[0]
    assert (row.name, row.models) == ("a\ufffdb", ("\ufffd2J",))


def test_programs_get_all_of_it() -> None:
    """As JSON, with the names that people see too."""
    told = shot(REPLICA, notable=[], models=[{**SUMS, "name": "m"}]).as_json()
    assert told["replicas"][0]["state"] == "in"
    assert told["models"][0]["ttft"] == {"p50": 0.1, "p95": 0.2}
    assert (told["waiting"], told["all"]["failed"], "name" in told["all"]) == (2, 1, False)
    assert codec.loads(codec.dumps(told)) == told | {"replicas": [{**told["replicas"][0], "models": ["m"]}]}


def test_what_is_no_gateways_is_no_picture() -> None:
    """Whoever asks tells the user so."""
    with pytest.raises(KeyError):
        read_picture({}, {}, {})
