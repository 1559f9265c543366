"""Kept responses: wishes, the input that goes on from earlier answers, and what is told in an answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.dialects import kept_responses
from vllm_gateway.dialects.kept_responses import (
    continued,
    ending,
    final,
    listed,
    outgoing,
    page,
    read_wish,
    with_previous,
)
from vllm_gateway.errors import FieldInvalid

HELLO = {"role": "user", "content": "Hello"}
CALL: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8) | st.just('"previous_response_id":null'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.just("previous_response_id"), inner, max_size=3)
    ),
    max_leaves=12,
)


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    """Return an assistant's message as vLLM gives it."""
    content = [{"annotations": [], "logprobs": None, **part} for part in parts]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}


def text(words: str) -> dict[str, Any]:
    """Return a part of a message."""
    return {"type": "output_text", "text": words}


def said(words: str) -> dict[str, Any]:
    """Return what a replica is told that the assistant said."""
    return {"type": "message", "role": "assistant", "content": words}


def event(kind: str, data: dict[str, Any]) -> bytes:
    """Return one event of a stream, as vLLM writes it."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), codec.dumps({**data, "sequence_number": 1, "type": kind}))


def test_what_is_not_said_is_kept() -> None:
    """A response is kept unless its caller says otherwise; null says nothing."""
    wishes = [
        read_wish({"input": "x", **more}) for more in ({}, {"store": None}, {"store": True}, {"background": False})
    ]
    assert all(wish.keeps and wish.previous is None for wish in wishes)
    refusing = read_wish({"input": "x", "store": False, "previous_response_id": "resp_1"})
    assert (refusing.keeps, refusing.previous) == (False, "resp_1")


def test_text_is_what_a_user_says() -> None:
    """A text becomes an item; a list of items is taken as it is."""
    assert read_wish({"input": "Hello"}).items == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    ]
    items = [HELLO, {"type": "some_future_item", "value": 1}]
    assert read_wish({"input": items}).items == items


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": True}, "background"),
        ({"background": "no"}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"store": "yes"}, "store"),
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"previous_response_id": ""}, "previous_response_id"),
        ({"previous_response_id": "resp_1", "previous_input_messages": []}, "previous_response_id"),
        ({"input": None}, "input"),
        ({"input": {"role": "user"}}, "input"),
        ({"input": [HELLO, "Hello"]}, "input[1]"),
        ({"input": [HELLO, {"type": "item_reference", "id": "msg_1"}]}, "input[1]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], param: str) -> None:
    """The field that is to blame is named, in one sentence that shows nothing of its value."""
    with pytest.raises(FieldInvalid) as caught:
        read_wish({"input": "x", **fields})
    assert caught.value.param == param
    assert caught.value.message.startswith(f"'{param}'") or param == "previous_response_id"


def test_a_conversation_goes_on() -> None:
    """What was said and answered before comes first, in order, and what is said now comes last."""
    first = ([HELLO], {"output": [message(text("Good day"))]})
    second = ([{"role": "user", "content": "And you?"}], {"output": [message(text("Fine"))]})
    assert continued([first, second], [{"role": "user", "content": "Bye"}]) == [
        HELLO,
        said("Good day"),
        {"role": "user", "content": "And you?"},
        said("Fine"),
        {"role": "user", "content": "Bye"},
    ]
    assert continued([], [HELLO]) == [HELLO]


@pytest.mark.parametrize(
    ("output", "items"),
    [
        pytest.param([message(text("Good "), text("day"))], [said("Good day")], id="all parts of a message"),
        pytest.param([message({"type": "refusal", "refusal": "No."})], [said("No.")], id="a refusal"),
        pytest.param([message()], [], id="a message that says nothing"),
        pytest.param([CALL | {"status": "completed", "namespace": None}], [CALL], id="a call"),
        pytest.param([CALL | {"namespace": "crm"}], [CALL | {"namespace": "crm"}], id="a call in a namespace"),
        pytest.param(
            [{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x", "status": "completed"}],
            [{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"}],
            id="a call of a custom tool",
        ),
        pytest.param(
            [THOUGHT | {"encrypted_content": None, "status": None}, CALL], [THOUGHT, CALL], id="a thought before a call"
        ),
        pytest.param([THOUGHT, message(text("x"))], [THOUGHT, said("x")], id="a thought before a message"),
        pytest.param([THOUGHT], [], id="a thought that led to nothing"),
        pytest.param([THOUGHT | {"content": None, "encrypted_content": "x"}, CALL], [CALL], id="an encrypted thought"),
        pytest.param(
            [{"type": "web_search_call", "id": "ws_1"}, message(text("x"))], [said("x")], id="a built-in tool"
        ),
        pytest.param(["nonsense", {"type": 7}], [], id="nonsense"),
        pytest.param(None, [], id="no output"),
    ],
)
def test_answers_become_input(output: list[Any] | None, items: list[dict[str, Any]]) -> None:
    """Every kind of output in the form that vLLM takes as input; what it would refuse or break on is left out."""
    assert continued([([], {"output": output})], []) == items


def test_only_what_has_to_changes() -> None:
    """A body that keeps nothing and goes on from nothing is left alone; the replica is never told to keep."""
    assert outgoing({"store": False, "input": "x"}, None) == {}
    assert outgoing({"input": "x"}, None) == {"store": False}
    assert outgoing({"store": True, "previous_response_id": None}, None) == {"store": False}
    assert outgoing({"store": False, "previous_response_id": "resp_1", "input": "x"}, [HELLO]) == {
        "previous_response_id": None,
        "input": [HELLO],
    }


@given(before=JSON, after=JSON, within=st.text())
def test_the_previous_response_is_told(before: object, after: object, within: str) -> None:
    """Only the member of the response changes, whatever stands around it, and however often its name stands there."""
    response = {"a": before, "b": within, "previous_response_id": None, "metadata": {"previous_response_id": after}}
    told = response | {"previous_response_id": 'resp_"1'}
    assert with_previous(codec.dumps(response), 'resp_"1') == codec.dumps(told)
    for kind in ("created", "in_progress", "completed", "incomplete"):
        name = f"response.{kind}"
        assert with_previous(event(name, {"response": response}), 'resp_"1') == event(name, {"response": told})


@given(st.lists(st.text(max_size=20) | st.just('"previous_response_id":null'), max_size=5), st.text())
def test_other_events_are_left_alone(deltas: list[str], name: str) -> None:
    """What the model writes passes unchanged, even when it writes of previous responses."""
    events = [event("response.output_text.delta", {"delta": {"previous_response_id": None}, "text": name})]
    events += [event("response.output_text.delta", {"delta": each}) for each in deltas]
    assert with_previous(b"".join(events), "resp_1") == b"".join(events)


def test_all_events_of_a_chunk_are_told() -> None:
    """Several events often come at once; JSON with spaces is JSON too."""
    events = event("response.created", {"response": {"previous_response_id": None}})
    events += event("response.in_progress", {"response": {"previous_response_id": None}})
    assert with_previous(events, "resp_1") == events.replace(b"null", b'"resp_1"')
    assert with_previous(b' {"previous_response_id" : "resp_0" }', "resp_1") == b' {"previous_response_id" : "resp_1" }'
    assert with_previous(b'{"error": {"previous_response_id": null}}', "resp_1") == (
        b'{"error": {"previous_response_id": null}}'
    )


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_the_end_is_found(kind: str) -> None:
    """The place where the last event begins, and the response in it."""
    begun = b": ping\n\n" + event("response.created", {"response": {"id": "resp_1", "status": "in_progress"}})
    deltas = event("response.output_text.delta", {"delta": "\nevent: response.completed\n"})
    end = event(kind, {"response": {"id": "resp_1", "output": []}})
    assert ending(begun + deltas) == -1
    assert ending(begun + deltas + end) == len(begun + deltas)
    assert ending(end) == 0
    assert final(begun + deltas + end, is_stream=True) == {"id": "resp_1", "output": []}
    assert final(begun + deltas, is_stream=True) is None


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_lines_may_end_in_both_ways(end: bytes) -> None:
    """With and without carriage returns."""
    events = event("response.completed", {"response": {"id": "resp_1", "previous_response_id": None}})
    events = events.replace(b"\n\n", end).replace(b"completed\nd", b"completed" + end[: len(end) // 2] + b"d")
    assert ending(b": ping\n\n" + events) == 8
    told = final(with_previous(events, "resp_0"), is_stream=True)
    assert told == {"id": "resp_1", "previous_response_id": "resp_0"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 7}', b'{"id": "resp_1"', b"event: response.completed\n"])
def test_what_is_no_response_is_none(body: bytes) -> None:
    """Nothing is kept of an answer that cannot be understood."""
    assert final(body, is_stream=False) is None
    assert final(body, is_stream=True) is None


def test_items_are_listed_in_parts() -> None:
    """As OpenAI's library reads them: with an id, a type, and the parts of a message."""
    items = [HELLO, {"role": "assistant", "content": "Hi"}, CALL, {"type": "function_call_output", "call_id": "call_1"}]
    shown = listed(items, "resp_12ab")
    assert [item["type"] for item in shown] == ["message", "message", "function_call", "function_call_output"]
    assert [item["id"] for item in shown] == ["item_12ab_0", "item_12ab_1", "fc_1", "item_12ab_3"]
    assert shown[0]["content"] == [{"type": "input_text", "text": "Hello"}]
    assert shown[1]["content"] == [{"type": "output_text", "text": "Hi", "annotations": []}]
    parts = kept_responses.read_wish({"input": "Hello"}).items
    assert listed(parts, "resp_1") == [{"id": "item_1_0", **parts[0]}]


def test_no_two_items_are_listed_with_one_id() -> None:
    """Whatever their senders called them: a page begins behind an id."""
    items = [{**CALL, "id": name} for name in ("x", "x", "", None, 5, "y")]
    assert [item["id"] for item in listed(items, "resp_1")] == ["x", *(f"item_1_{at}" for at in (1, 2, 3, 4)), "y"]
    assert [item["id"] for item in listed([{**CALL, "id": "item_1_1"}, HELLO], "resp_1")] == ["item_1_1", "item_1_1_"]


@pytest.mark.parametrize("descending", [True, False])
@given(size=st.integers(0, 12), limit=st.integers(1, 5))
def test_pages_behind_one_another_are_the_whole_list(size: int, limit: int, *, descending: bool) -> None:
    """Each item once, in its order, and the last page says that it is."""
    items: list[dict[str, Any]] = [{"id": str(at)} for at in range(size)]
    found: list[dict[str, Any]] = []
    for _ in range(size + 1):
        after = found[-1]["id"] if found else None
        some, has_more = page(items, limit=limit, after=after, descending=descending)
        found += some
        if not has_more:
            break
        assert len(some) == limit
    assert found == (items[::-1] if descending else items)


def test_a_page_behind_nothing_is_refused() -> None:
    """It could only be a guess."""
    with pytest.raises(FieldInvalid) as refusal:
        page([{"id": "a"}], limit=1, after="b", descending=True)
    assert refusal.value.param == "after"
