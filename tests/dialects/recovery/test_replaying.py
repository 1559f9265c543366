"""An answer is heard again, and only what is new of it is let through."""

from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.dialects.recovery.replaying import Replay
from vllm_gateway.dialects.recovery.told import Told
from vllm_gateway.dialects.sse import payloads, split_events
from vllm_gateway.errors import ReplicaFailed, ReplicaTruncated

DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 7, "completion_tokens": 20, "total_tokens": 27}

Strand = tuple[str, int]
Segments = list[tuple[Strand, str]]
"""What one choice says, strand after strand."""


def event(chunk: dict[str, Any]) -> bytes:
    """Return an event as vLLM writes it."""
    return b"data: " + codec.dumps(chunk) + b"\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None, *, index: int = 0, leg: int = 1, **more: Any) -> bytes:  # noqa: ANN401 - any member
    """Return a chunk of a chat, from the first replica or from another one."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, **more}
    return event({"id": f"chatcmpl-{leg}", "created": leg, "model": "m", "choices": [choice]})


def text(content: str, finish: str | None = None, *, index: int = 0, leg: int = 1, **more: Any) -> bytes:  # noqa: ANN401 - any member
    """Return a chunk of a chat that says something."""
    return chunk({"content": content}, finish, index=index, leg=leg, **more)


def completion(said: str, finish: str | None = None, *, leg: int = 1, **more: Any) -> bytes:  # noqa: ANN401 - any member
    """Return a chunk of a completion."""
    choice = {"index": 0, "text": said, "logprobs": None, "finish_reason": finish, **more}
    return event({"id": f"cmpl-{leg}", "created": leg, "model": "m", "choices": [choice]})


def role(leg: int = 1, index: int = 0) -> bytes:
    """Return the chunk that names the speaker."""
    return chunk({"role": "assistant", "content": ""}, leg=leg, index=index)


def call(arguments: str, *, name: str | None = None, index: int = 0, leg: int = 1, finish: str | None = None) -> bytes:
    """Return a chunk of a tool call; its first one has a name and an id."""
    first = {"id": f"call_{leg}_{index}", "type": "function"} if name is not None else {}
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": index, **first, "function": function}]}, finish, leg=leg)


def after(*told: bytes, has_ids: bool = False) -> Replay:
    """Return a replay for a caller who was told these events."""
    said = Told()
    for each in told:
        said.keep(each)
    return Replay(said, has_ids=has_ids)


def heard(replay: Replay, *events: bytes) -> list[dict[str, Any]]:
    """Feed events one by one; return the chunks that come out."""
    return [codec.loads(payload) for each in events for payload in payloads(replay.feed(each))]


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what chunks of a single choice say."""
    return [each["choices"][0]["delta"] for each in chunks]


def test_what_was_told_is_swallowed() -> None:
    """Only what is new comes out, in the first stream's name; role and reason of the end come once."""
    replay = after(role(), text("Hel"), text("lo"))
    got = heard(replay, role(2), text("H", leg=2), text("ello wor", leg=2), text("ld", leg=2), text("", "stop", leg=2))
    assert deltas(got) == [{"content": " wor"}, {"content": "ld"}, {"content": ""}]
    assert {(each["id"], each["created"]) for each in got} == {("chatcmpl-1", 1)}
    assert [each["choices"][0]["finish_reason"] for each in got] == [None, None, "stop"]


@pytest.mark.parametrize(
    "events",
    [
        [text("Hex", leg=2)],
        [text("He", "stop", leg=2)],
        [text("Hello!", leg=2)],
        [text("Hello", "length", leg=2)],
        [text("Hel", leg=2), text("lo", "length", leg=2), text("!", leg=2)],
        [chunk({"reasoning": "Hm"}, leg=2)],
        [call("{", name="f", leg=2)],
    ],
)
def test_another_answer_ends_it(events: list[bytes]) -> None:
    """Other words, an end that comes too early, more after the end, and text of another kind are all differences."""
    replay = after(role(), text("Hello"), text("", "stop"))
    with pytest.raises(ReplicaTruncated):
        heard(replay, role(2), *events)


def test_nothing_is_new_while_something_is_owed() -> None:
    """Thoughts that go on where the caller has heard the answer already are another answer."""
    replay = after(role(), chunk({"reasoning": "Hm"}), text("Yes"))
    with pytest.raises(ReplicaTruncated):
        replay.feed(chunk({"reasoning": "Hmm"}, leg=2))


def test_one_chunk_may_hold_more_than_one_text() -> None:
    """What was told is taken out of each of them."""
    replay = after(role(), chunk({"reasoning": "Hm"}))
    got = heard(replay, chunk({"role": "assistant", "reasoning": "Hm.", "content": "Y"}, leg=2), text("es", leg=2))
    assert deltas(got) == [{"reasoning": ".", "content": "Y"}, {"content": "es"}]


def test_a_role_alone_matches_every_answer() -> None:
    """Where nothing was said yet, the answer is simply let through."""
    replay = after(role())
    assert deltas(heard(replay, role(2), text("", leg=2), text("A", leg=2))) == [{"content": ""}, {"content": "A"}]


def test_a_role_comes_before_all_else_or_not_at_all() -> None:
    """Where the first stream named nobody, the second one's name would stand in the middle."""
    assert deltas(heard(after(text("A")), role(2), text("AB", leg=2))) == [{"content": "B"}]


def test_an_empty_answer_that_ended_has_nothing_new() -> None:
    """Neither its role nor its end comes again."""
    assert heard(after(role(), text("", "stop")), role(2), text("", leg=2), text("", "stop", leg=2)) == []


def test_a_role_that_was_not_told_comes_through() -> None:
    """A stream of which nothing was told begins from the start, under its own name."""
    events = [role(2), text("A", "stop", leg=2), DONE]
    assert b"".join(map(after().feed, events)) == b"".join(events)


def test_a_call_keeps_its_first_id() -> None:
    """Ids of tool calls are drawn by lot on every replica; the caller never sees the second one."""
    replay = after(role(), call("", name="find"), call('{"a'))
    got = heard(replay, role(2), call('{"a": 1}', name="find", leg=2), call("[", name="sum", index=1, leg=2))
    assert [each["tool_calls"][0] for each in deltas(got)] == [
        {"index": 0, "function": {"arguments": '": 1}'}},
        {"index": 1, "id": "call_2_1", "type": "function", "function": {"name": "sum", "arguments": "["}},
    ]


@pytest.mark.parametrize("event", [call("{}", name="sum", leg=2), call("[", name="find", leg=2), text("x", leg=2)])
def test_another_call_ends_it(event: bytes) -> None:
    """Name and arguments of a call are compared."""
    replay = after(role(), call("", name="find"), call('{"a'))
    with pytest.raises(ReplicaTruncated):
        replay.feed(event)


def test_a_kind_of_delta_that_is_not_understood_ends_it() -> None:
    """What cannot be compared is not taken for equal."""
    replay = after(role(), text("A"))
    with pytest.raises(ReplicaTruncated):
        replay.feed(chunk({"audio": {"data": "AAAA"}}, leg=2))


def test_completions_are_compared_too() -> None:
    """Their text stands elsewhere, and is always there."""
    replay = after(completion("Hel"), completion("lo"))
    got = heard(replay, completion("Hell", leg=2), completion("o", "length", leg=2))
    assert [(each["id"], each["choices"][0]["text"]) for each in got] == [("cmpl-1", "")]


def test_usage_and_end_come_once() -> None:
    """The replay counts the whole answer, so that its usage is right as it is; an end passes."""
    whole = event({"id": "chatcmpl-2", "choices": [], "usage": USAGE})
    replay = after(role(), text("A"), text("", "stop"))
    got = replay.feed(role(2) + text("A", "stop", leg=2) + whole + DONE)
    assert got == event({"id": "chatcmpl-1", "choices": [], "usage": USAGE}) + DONE
    replay = after(role(), text("A"), text("", "stop"), whole)
    assert replay.feed(role(2) + text("A", "stop", leg=2) + whole + DONE) == DONE


@pytest.mark.parametrize("event", [event({"error": {"message": "no"}}), text("", "abort", leg=2), b": ping\n\n", DONE])
def test_what_is_no_chunk_of_an_answer_passes_unchanged(event: bytes) -> None:
    """Whoever watches the stream sees errors, and comments keep it alive."""
    assert after(role(), text("A")).feed(event) == event


def test_what_is_no_json_is_a_failure_of_the_replica() -> None:
    """Another replica may do better."""
    with pytest.raises(ReplicaFailed):
        after(role(), text("A")).feed(b"data: {oops\n\n")


def test_empty_events_are_swallowed_until_something_is_new() -> None:
    """A token without a text of its own may have been told; when something new has come, all passes."""
    replay = after(role(), text("A"), text(""))
    got = heard(replay, text("A", leg=2), text("", leg=2), text("B", leg=2), text("", leg=2))
    assert deltas(got) == [{"content": "B"}, {"content": ""}]


def noted(*tokens: str) -> dict[str, Any]:
    """Return the log probabilities of a chat's tokens."""
    return {"content": [{"token": token, "logprob": -1.0} for token in tokens]}


def test_log_probabilities_are_told_once() -> None:
    """Those of tokens that were told are dropped, also out of the middle of a chunk."""
    replay = after(role(), text("A", logprobs=noted("A")), text("", logprobs=noted("¿")))
    events = [text("A", leg=2, logprobs=noted("A")), text("BC", leg=2, logprobs=noted("¿", "B", "C"))]
    got = heard(replay, *events, text("D", leg=2, logprobs=noted("D")))
    assert [each["choices"][0]["logprobs"] for each in got] == [noted("B", "C"), noted("D")]


def test_log_probabilities_that_cannot_be_counted_are_left_out() -> None:
    """None are better than wrong ones."""
    replay = after(role(), text("AB", logprobs=noted("AB")))
    events = [text("A", leg=2, logprobs=noted("A")), text("", leg=2, logprobs=noted("¿"))]
    got = heard(replay, *events, text("BC", leg=2, logprobs=noted("B", "C")))
    assert [each["choices"][0]["logprobs"] for each in got] == [None]


def test_log_probabilities_of_completions_are_cut_alike() -> None:
    """They stand in lists, one for each kind."""
    one = {"tokens": ["A"], "token_logprobs": [-1.0], "top_logprobs": None, "text_offset": [0]}
    two = {"tokens": ["A", "B"], "token_logprobs": [-1.0, -2.0], "top_logprobs": None, "text_offset": [0, 1]}
    rest = {"tokens": ["B"], "token_logprobs": [-2.0], "top_logprobs": None, "text_offset": [1]}
    got = heard(after(completion("A", logprobs=one)), completion("AB", leg=2, logprobs=two))
    assert [each["choices"][0]["logprobs"] for each in got] == [rest]


def test_ids_that_the_caller_sees_are_told_once() -> None:
    """They are compared, and cut like the text; the prompt's come at the beginning only."""
    told = [completion("A", token_ids=[5], prompt_token_ids=[1, 2]), completion("", token_ids=[6])]
    replay = after(*told, has_ids=True)
    again = [completion("A", leg=2, token_ids=[5], prompt_token_ids=[1, 2])]
    got = heard(replay, *again, completion("B", leg=2, token_ids=[6, 7]), completion("", leg=2, token_ids=[8]))
    assert [each["choices"][0]["token_ids"] for each in got] == [[7], [8]]
    again = [completion("A", leg=2, token_ids=[5]), completion("", leg=2, token_ids=[6, 7])]
    assert [each["choices"][0]["token_ids"] for each in heard(after(*told, has_ids=True), *again)] == [[7]]
    with pytest.raises(ReplicaTruncated):
        after(*told, has_ids=True).feed(completion("A", leg=2, token_ids=[9]))


def test_ids_that_nobody_asked_for_are_taken_out() -> None:
    """So are the events that exist for their sake only."""
    replay = after(role(), text("A"))
    events = [text("AB", leg=2, token_ids=[5, 6]), chunk({}, leg=2, token_ids=[7]), text("C", leg=2, token_ids=[8])]
    got = heard(replay, *events)
    assert deltas(got) == [{"content": "B"}, {"content": "C"}]
    assert [each["choices"][0]["token_ids"] for each in got] == [None, None]


def test_the_prompt_is_told_once() -> None:
    """A first chunk of which a part is new says nothing of the prompt any more."""
    replay = after(completion("A", prompt_token_ids=[1, 2], prompt_logprobs=[None]))
    got = heard(replay, completion("AB", leg=2, prompt_token_ids=[1, 2], prompt_logprobs=[None]))
    assert (got[0]["choices"][0]["prompt_token_ids"], got[0]["choices"][0]["prompt_logprobs"]) == (None, None)
    got = heard(after(text("A")), event({**codec.loads(text("AB", leg=2)[6:]), "prompt_token_ids": [1]}))
    assert got[0]["prompt_token_ids"] is None


# any answer, in any chunks

WORDS = st.text(st.sampled_from('ab {"ü🙂\n'), min_size=1, max_size=12)
STRANDS: list[Strand] = [("reasoning", 0), ("content", 0), ("arguments", 0), ("arguments", 1)]


@st.composite
def answers(draw: st.DrawFn) -> list[Segments]:
    """Draw what each of one to three choices says."""
    choices = []
    for _ in range(draw(st.integers(1, 3))):
        said = draw(st.lists(st.sampled_from(STRANDS), unique=True, max_size=4))
        choices.append([(strand, draw(WORDS)) for strand in sorted(said, key=STRANDS.index)])
    return choices


def delta_of(strand: Strand, piece: str, *, is_first: bool, leg: int) -> dict[str, Any]:
    """Return the delta that adds a piece to a strand."""
    name, index = strand
    if name != "arguments":
        return {name: piece}
    first = {"id": f"call_{leg}_{index}", "type": "function"} if is_first else {}
    function = {"name": f"tool{index}", "arguments": piece} if is_first else {"arguments": piece}
    return {"tool_calls": [{"index": index, **first, "function": function}]}


@st.composite
def streams(draw: st.DrawFn, choices: list[Segments], leg: int) -> list[bytes]:
    """Draw the events of an answer: its texts in any pieces, its choices in any order."""
    queues = []
    for index, segments in enumerate(choices):
        queue = [chunk({"role": "assistant", "content": ""}, leg=leg, index=index)]
        for strand, said in segments:
            places = sorted(draw(st.sets(st.integers(1, max(1, len(said) - 1)), max_size=4)))
            pieces = [said[begin:end] for begin, end in pairwise([0, *(p for p in places if p < len(said)), len(said)])]
            for place, piece in enumerate(pieces):
                queue.append(chunk(delta_of(strand, piece, is_first=place == 0, leg=leg), leg=leg, index=index))
        queue.append(chunk({}, "stop", leg=leg, index=index))
        queues.append(queue)
    events = []
    while left := [queue for queue in queues if queue]:
        events.append(left[draw(st.integers(0, len(left) - 1))].pop(0))
    return [
        *events,
        event({"id": f"chatcmpl-{leg}", "created": leg, "model": "m", "choices": [], "usage": USAGE}),
        DONE,
    ]


def assembled(stream: bytes) -> dict[str, Any]:
    """Put a stream together, as a client library does."""
    whole: dict[str, Any] = {"ids": set(), "done": stream.count(DONE), "usage": [], "choices": {}}
    for payload in payloads(stream):
        said = codec.loads(payload)
        whole["ids"].add((said["id"], said["created"]))
        whole["usage"] += [said["usage"]] if "usage" in said else []
        for choice in said["choices"]:
            told = whole["choices"].setdefault(choice["index"], {"texts": {}, "roles": 0, "ends": [], "ids": {}})
            _add(told, choice)
    return whole


def _add(told: dict[str, Any], choice: dict[str, Any]) -> None:
    delta = dict(choice["delta"])
    told["roles"] += delta.pop("role", None) is not None
    told["ends"] += [choice["finish_reason"]] if choice["finish_reason"] else []
    for each in delta.pop("tool_calls", []):
        if "id" in each:
            told["ids"].setdefault(each["index"], []).append(each["id"])
        for name, piece in each["function"].items():
            key = f"{name}{each['index']}"
            told["texts"][key] = told["texts"].get(key, "") + piece
    for name, piece in delta.items():
        told["texts"][name] = told["texts"].get(name, "") + piece


@given(st.data())
def test_any_cut_of_any_answer_is_made_whole(data: st.DataObject) -> None:
    """Whatever was told and however the other replica cuts its answer, the caller hears the uninterrupted one."""
    choices = data.draw(answers())
    first, second = data.draw(streams(choices, 1)), data.draw(streams(choices, 2))
    cut = data.draw(st.integers(1, len(first) - 2))
    replay = after(*first[:cut])
    got = assembled(b"".join([*first[:cut], *map(replay.feed, second)]))
    wanted = assembled(b"".join(first))
    for index, told in wanted["choices"].items():  # calls that the second replica began have its ids
        for place, ids in told["ids"].items():
            begun = got["choices"][index]["ids"][place]
            assert len(begun) == 1
            ids[:] = [begun[0]] if begun[0].startswith("call_2") else ids
    assert got == wanted


@given(st.data())
def test_any_other_letter_before_the_cut_is_found(data: st.DataObject) -> None:
    """An answer that differs anywhere in what was told adds nothing to it."""
    choices = data.draw(answers().filter(any))
    first = data.draw(streams(choices, 1))
    cut = data.draw(st.integers(1, len(first) - 2))
    told = Told()
    told.keep(b"".join(first[:cut]))
    said = [(i, strand, seen) for i, each in told.choices.items() for strand, seen in each.strands.items()]
    spots = [(i, strand, seen) for i, strand, seen in said if strand[0] != "name"]
    if not spots:
        return
    index, strand, seen = data.draw(st.sampled_from(spots))
    place = data.draw(st.integers(0, len(seen) - 1))
    other = [
        [(s, t[:place] + "#" + t[place + 1 :] if (i, s) == (index, strand) else t) for s, t in segments]
        for i, segments in enumerate(choices)
    ]
    passed: list[bytes] = []
    second = data.draw(streams(other, 2))
    with pytest.raises(ReplicaTruncated):
        passed.extend(map(Replay(told).feed, second))
    assert b"#" not in b"".join(passed)
    texts = assembled(b"".join(first[:cut] + passed))["choices"]
    for number, segments in enumerate(choices):
        for (name, call_index), whole in segments:
            key = f"{name}{call_index}" if name == "arguments" else name
            assert whole.startswith(texts.get(number, {"texts": {}})["texts"].get(key, ""))


def test_a_long_answer_takes_time_in_proportion() -> None:
    """Ten thousand chunks are compared in one pass over the text."""
    words = ["wort "] * 10_000
    replay = after(role(), *(text(word) for word in words))
    ends = list(accumulate(map(len, words)))
    assert ends[-1] == 50_000
    assert all(replay.feed(text(word, leg=2)) == b"" for word in words)
    assert len(split_events(replay.feed(text("!", leg=2)))) == 1
