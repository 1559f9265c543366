"""The body for a replica."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchanges import OPERATIONS
from vllm_gateway import codec
from vllm_gateway.admission.rules.outgoing import Outgoing
from vllm_gateway.admission.rules.owned import STRIPPED
from vllm_gateway.callers import ANONYMOUS, Caller
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.model import Settings

OWNED = [
    "kv_transfer_params",
    "ec_transfer_params",
    "priority",
    "request_id",
    "session_id",
    "vllm_xargs",
    "cache_salt",
    "trace_decode_token_ids",
]
"""Fields that may hold anything, and never arrive."""
USUAL = Outgoing(Settings())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.builds(
    lambda known, others: others | known,
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.none() | st.sampled_from(["", "m", "alias"]),
            "stream": st.none() | st.booleans(),
            "stream_options": st.none()
            | st.fixed_dictionaries(
                {}, optional={"include_usage": st.booleans(), "continuous_usage_stats": st.booleans(), "other": JSON}
            ),
        }
        | dict.fromkeys(OWNED, JSON),
    ),
    st.dictionaries(st.text().filter({"model", "stream", "stream_options", *OWNED}.isdisjoint), JSON, max_size=4),
)


def understood(body: bytes) -> Asked:
    """Read the body of a chat."""
    return OPERATIONS["/v1/chat/completions"].read(body)


def outgoing_body(body: bytes, asked: Asked, model: str | None) -> bytes:
    """Return what goes to a replica by the usual settings."""
    return USUAL.body(body, asked, model, ANONYMOUS)


def sent(to: str | None, **fields: Any) -> bytes:  # noqa: ANN401 - JSON is any of its types
    """Return what goes to a replica of this model for a body with these fields."""
    body = codec.dumps(fields)
    return outgoing_body(body, understood(body), to)


def expected(fields: dict[str, Any], model: str | None, *, adds_usage: bool) -> dict[str, Any]:
    """Say what must arrive, field by field."""
    arriving = {name: value for name, value in fields.items() if name not in OWNED}
    if model is not None:
        arriving["model"] = model
    if adds_usage:
        options = fields.get("stream_options") or {}
        kept = {name: value for name, value in options.items() if name != "continuous_usage_stats"}
        arriving["stream_options"] = kept | {"include_usage": True}
    return arriving


@given(BODIES, st.none() | st.just("m"))
def test_what_arrives_is_what_was_sent_apart_from_what_is_owned(fields: dict[str, Any], model: str | None) -> None:
    """Owned fields go, the model is the one that answers, usage is asked for; all else is as it was."""
    body = codec.dumps(fields)
    asked = understood(body)
    before = copy.deepcopy(asked.fields)
    arriving = codec.loads(outgoing_body(body, asked, model))
    assert arriving == expected(fields, model, adds_usage=asked.adds_usage)
    assert asked.fields == before, "the parsed body is read again for the next attempt"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m"}',
        b' {\n "model" : "m" , "seed": 12345678901234567890123, "x": 1.50, "u": "\\u00fc" } \r\n',
        b'{"model": "m", "model": "m", "stream": false}',
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true, "continuous_usage_stats" : true}}',
    ],
)
def test_bytes_are_untouched_where_nothing_has_to_change(body: bytes) -> None:
    """Not a space, not a digit, not an escape."""
    assert outgoing_body(body, understood(body), "m") is body


@pytest.mark.parametrize("space", [b"", b" ", b"\n", b" \r\n\t"])
def test_asking_for_usage_leaves_the_callers_bytes_in_front(space: bytes) -> None:
    """The wish is added behind them, and the whole is the JSON that a re-encoding would give."""
    body = b'{"model":"m", "stream" : true, "seed": 12345678901234567890123' + space + b"}" + space
    out = outgoing_body(body, understood(body), "m")
    assert out.startswith(body.rstrip()[:-1])
    assert codec.loads(out) == codec.loads(body) | {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("options", "arriving"),
    [
        (None, {"include_usage": True}),
        ({}, {"include_usage": True}),
        ({"include_usage": False}, {"include_usage": True}),
        ({"include_usage": False, "continuous_usage_stats": True}, {"include_usage": True}),
        ({"include_usage": False, "other": 1}, {"other": 1, "include_usage": True}),
    ],
)
def test_usage_is_asked_for_once_at_the_end(options: object, arriving: dict[str, Any]) -> None:
    """Usage on every chunk would be more than can be taken out again."""
    out = codec.loads(sent("m", model="m", stream=True, stream_options=options))
    assert out == {"model": "m", "stream": True, "stream_options": arriving}


@pytest.mark.parametrize("name", OWNED)
def test_a_field_that_lets_a_caller_past_others_is_gone(name: str) -> None:
    """Neither its name nor its value reaches a replica."""
    out = codec.dumps(codec.loads(sent("m", messages=[], **{name: {"secret": 1}}, stream=True)))
    assert name.encode() not in out
    assert b"secret" not in out
    assert codec.loads(out) == {
        "model": "m",
        "messages": [],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert frozenset({*OWNED, "modelKey"}) == STRIPPED


def test_the_name_of_a_route_stays_here() -> None:
    """No replica knows what it means."""
    assert codec.loads(sent("m", modelKey="tiny", messages=[])) == {"model": "m", "messages": []}


def test_the_model_that_answers_is_named() -> None:
    """An alias and a missing name become the model's own; without a model nothing is said."""
    assert codec.loads(sent("real", model="alias")) == {"model": "real"}
    assert codec.loads(sent("real", model="")) == {"model": "real"}
    assert codec.loads(sent("real")) == {"model": "real"}
    assert codec.loads(sent(None)) == {}


LIVE: list[tuple[object, object]] = [
    (None, {"include_usage": True, "continuous_usage_stats": True}),
    ({}, {"include_usage": True, "continuous_usage_stats": True}),
    ({"include_usage": True}, {"include_usage": True, "continuous_usage_stats": True}),
    ({"continuous_usage_stats": False, "x": 1}, {"x": 1, "include_usage": True, "continuous_usage_stats": True}),
    ({"include_usage": True, "continuous_usage_stats": True}, {"include_usage": True, "continuous_usage_stats": True}),
    ("none", "none"),
]


@pytest.mark.parametrize(("options", "arriving"), LIVE)
def test_usage_is_asked_for_all_the_time_where_it_is_metered(options: object, arriving: object) -> None:
    """Both options, whatever the caller wrote; what is no object is the replica's to judge."""
    body = codec.dumps({"model": "m", "stream": True, "stream_options": options})
    out = USUAL.body(body, understood(body), "m", ANONYMOUS, live=True)
    assert codec.loads(out) == {"model": "m", "stream": True, "stream_options": arriving}
    if options == arriving:
        assert out is body


@pytest.mark.parametrize(
    ("path", "name", "others"),
    [
        ("/v1/chat/completions", "max_tokens", ["max_completion_tokens"]),
        ("/v1/completions", "max_tokens", []),
        ("/v1/responses", "max_output_tokens", []),
    ],
)
@pytest.mark.parametrize(
    ("limits", "tokens"),
    [
        ({"default_max_tokens": 50}, 50),
        ({"max_tokens_cap": 70}, 70),
        ({"default_max_tokens": 50, "max_tokens_cap": 70}, 50),
        ({"default_max_tokens": 90, "max_tokens_cap": 70}, 70),
    ],
)
def test_an_answer_without_a_length_gets_one(
    path: str, name: str, others: list[str], limits: dict[str, int], tokens: int
) -> None:
    """The default, or the cap; what the caller said counts, under whichever name."""
    outgoing = Outgoing(Settings.model_validate({"limits": limits}))

    def arriving(**fields: Any) -> Any:  # noqa: ANN401 - JSON is any of its types
        body = codec.dumps({"model": "m", "input": "x", **fields})
        return codec.loads(outgoing.body(body, OPERATIONS[path].read(body), "m", ANONYMOUS))

    assert arriving() == {"model": "m", "input": "x", name: tokens}
    assert arriving(**{name: None}) == {"model": "m", "input": "x", name: tokens}
    for said in (name, *others):
        assert arriving(**{said: 3}) == {"model": "m", "input": "x", said: 3}


def test_other_routes_get_no_length() -> None:
    """Where nothing is written there is none, and the Messages API names its own."""
    outgoing = Outgoing(Settings.model_validate({"limits": {"default_max_tokens": 50}}))
    for path in ("/v1/embeddings", "/tokenize", "/v1/messages", "/v1/rerank"):
        body = b'{"model":"m"}'
        assert outgoing.body(body, OPERATIONS[path].read(body), "m", ANONYMOUS) is body


def salted(outgoing: Outgoing, path: str, caller: str, **fields: Any) -> Any:  # noqa: ANN401 - JSON is any of its types
    """Return the salt that arrives."""
    body = codec.dumps({"model": "m", "input": "x", **fields})
    out = outgoing.body(body, OPERATIONS[path].read(body), "m", Caller(caller))
    return codec.loads(out).get("cache_salt")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"])
def test_callers_are_cached_apart(path: str) -> None:
    """S-18: each has a salt of its own, always the same, which nobody can guess or choose."""
    one, other = (
        Outgoing(Settings.model_validate({"isolate_prefix_cache": True, "tenant_secret": secret * 16}))
        for secret in "ab"
    )
    salt = salted(one, path, "a")
    assert len(salt) == 64
    assert set(salt) <= set("0123456789abcdef")
    assert salted(one, path, "a") == salt
    assert salted(one, path, "a", cache_salt="chosen") == salt
    assert salted(one, path, "b") != salt
    assert salted(other, path, "a") != salt
    assert salted(USUAL, path, "a", cache_salt="chosen") is None


def test_a_secret_is_made_up_where_none_is_set() -> None:
    """S-18: two processes do not come to the same salt by chance."""
    settings = Settings.model_validate({"isolate_prefix_cache": True})
    salts = {salted(Outgoing(settings), "/v1/completions", "a") for _ in range(3)}
    assert len(salts) == 3


@pytest.mark.parametrize("path", ["/v1/embeddings", "/tokenize", "/v1/rerank"])
def test_what_is_not_cached_gets_no_salt(path: str) -> None:
    """The route may not know the field."""
    assert salted(Outgoing(Settings.model_validate({"isolate_prefix_cache": True})), path, "a") is None


def test_the_gateways_priority_wins() -> None:
    """S-12: the caller's own does not arrive, with or without one of the gateway's."""
    body = b'{"model":"m","priority":-1000}'
    assert USUAL.body(body, understood(body), "m", ANONYMOUS) == b'{"model":"m"}'
    assert USUAL.body(body, understood(body), "m", ANONYMOUS, priority=0) == b'{"model":"m","priority":0}'
    body = b'{ "model" : "m" }'
    assert USUAL.body(body, understood(body), "m", ANONYMOUS, priority=5) == b'{ "model" : "m" ,"priority":5}'


def test_the_accounting_line_of_claude_code_does_not_arrive() -> None:
    """The rest of the body keeps its bytes."""
    body = (
        b'{"model":"m", "system": [{"type":"text","text":"x-anthropic-billing-header: cch=1;"}, {"type":"text",'
        b'"text":"\\u00fc"}], "seed": 12345678901234567890123}'
    )
    out = USUAL.body(body, OPERATIONS["/v1/messages"].read(body), "m", ANONYMOUS)
    assert out == ('{"model":"m","system": [{"type":"text","text":"ü"}],"seed": 12345678901234567890123}'.encode())


def test_an_empty_body_can_be_added_to() -> None:
    """No comma stands before the first member."""
    assert USUAL.body(b" { } ", understood(b" { } "), "m", ANONYMOUS) == b'{"model":"m"}'
