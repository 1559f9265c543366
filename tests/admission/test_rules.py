"""What the gateway owns in a body."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchanges import OPERATIONS
from vllm_gateway import codec
from vllm_gateway.admission.rules import STRIPPED, check, outgoing_body
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Asked

OWNED = ["kv_transfer_params", "ec_transfer_params", "priority"]
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
    assert frozenset(OWNED) == STRIPPED


def test_the_model_that_answers_is_named() -> None:
    """An alias and a missing name become the model's own; without a model nothing is said."""
    assert codec.loads(sent("real", model="alias")) == {"model": "real"}
    assert codec.loads(sent("real", model="")) == {"model": "real"}
    assert codec.loads(sent("real")) == {"model": "real"}
    assert codec.loads(sent(None)) == {}


@pytest.mark.parametrize(
    ("name", "now"),
    [("guided_json", "json"), ("guided_regex", "regex"), ("guided_choice", "choice"), ("guided_grammar", "grammar")],
)
def test_names_that_vllm_has_removed_are_refused(name: str, now: str) -> None:
    """They would be ignored in silence; the refusal says what to write instead."""
    with pytest.raises(FieldInvalid, match=f"'{name}'.*'structured_outputs': {{'{now}'") as refusal:
        check(understood(codec.dumps({name: {}})))
    assert refusal.value.param == name


def test_all_else_passes_the_rules() -> None:
    """The gateway has no opinion on what it does not own."""
    check(understood(b'{"structured_outputs": {"json": {}}, "guided": 1, "logit_bias": null}'))
