"""Answers of a real vLLM that are cut between any two events, and go on from another one by token ids."""

from typing import Any

import httpx2

from tests.dialects.recovery.legs import CHAT, COMPLETIONS, heard, recovery_of, sent
from tests.dialects.recovery.test_continuing_chat import thought
from tests.dialects.recovery.test_every_cut import BY_IDS, check, finish_of
from tests.real_vllm.fleet import MODEL, Fleet
from vllm_gateway import codec
from vllm_gateway.dialects.recovery.safety import Ways
from vllm_gateway.dialects.sse import split_events
from vllm_gateway.exchange import Leg

USAGE = {"include_usage": True, "continuous_usage_stats": True}
BYTES = list(range(3, 259))
"""The tokens of single bytes."""


def chat(question: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any fields
    """Return the body of a chat."""
    messages = [{"role": "user", "content": question}]
    return {"model": MODEL, "stream": True, "messages": messages, "temperature": 0, "max_tokens": 40, **fields}


def completion(prompt: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any fields
    """Return the body of a completion."""
    return {"model": MODEL, "stream": True, "prompt": prompt, "temperature": 0, "max_tokens": 40, **fields}


async def posted(http: httpx2.AsyncClient, url: str, path: str, body: bytes) -> bytes:
    """Return the body of an answer, of a stream its whole."""
    answer = await http.post(url + path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    return bytes(answer.content)


class Cuts:
    """Cuts an answer of one vLLM everywhere, and lets another go on."""

    def __init__(self, http: httpx2.AsyncClient, replicas: Fleet) -> None:
        self._http = http
        self._first = replicas.first.url
        self._second = replicas.second.url
        self._legs: dict[Leg, bytes] = {}
        self.refused = 0
        self.made = 0

    async def ask(self, path: str, body: bytes) -> bytes | None:
        """Ask the second replica a short question."""
        return await posted(self._http, self._second, path, body)

    async def everywhere(self, path: str, fields: dict[str, Any], ways: Ways = BY_IDS) -> None:
        """Assert that the answer is the same wherever it is cut, or that nobody goes on with it."""
        whole = heard(await posted(self._http, self._first, path, codec.dumps(fields)))
        events = split_events(await posted(self._http, self._first, path, sent(fields)))
        for at in range(finish_of(events) + 1):
            recovery = recovery_of(path, fields, ways)
            out = b"".join(recovery.feed(event) for event in events[:at])
            leg = await recovery.next_leg(self.ask, is_twin=True)
            if leg is None:
                self.refused += 1
                continue
            if leg not in self._legs:
                self._legs[leg] = await posted(self._http, self._second, leg.path, leg.body)
            check(out + recovery.feed(self._legs[leg]), whole, recovery, (fields, at))
            self.made += 1


async def test_plain_answers(replicas: Fleet, http: httpx2.AsyncClient) -> None:
    """A chat or a completion is the same, text, end and usage, wherever it is cut."""
    cuts = Cuts(http, replicas)
    await cuts.everywhere(CHAT, chat("Hello", stream_options=USAGE))
    await cuts.everywhere(CHAT, chat("日本 🙂", ignore_eos=True))
    await cuts.everywhere(COMPLETIONS, completion("The object is", min_tokens=20, repetition_penalty=1.3))
    await cuts.everywhere(COMPLETIONS, completion("The object is", stream_options=USAGE, skip_special_tokens=False))
    assert cuts.refused == 0


async def test_stop_strings(replicas: Fleet, http: httpx2.AsyncClient) -> None:
    """Stop strings end an answer at the same place wherever it is cut, inside of one too."""
    cuts = Cuts(http, replicas)
    for fields in (chat("Hello", repetition_penalty=1.2), chat("What is it?", repetition_penalty=1.2)):
        body = {**fields, "stream": False}
        answer = codec.loads(await posted(http, replicas.first.url, CHAT, codec.dumps(body)))
        text = answer["choices"][0]["message"]["content"]
        for included in (False, True):
            for at in (len(text) // 3, len(text) // 2):
                stops = {"stop": [text[at : at + 9], "never said at all"], "include_stop_str_in_output": included}
                await cuts.everywhere(CHAT, {**fields, **stops, "stream_options": USAGE})
    assert cuts.refused == 0


async def test_broken_characters(replicas: Fleet, http: httpx2.AsyncClient) -> None:
    """An answer of bytes that mostly are no characters is the same wherever it is cut, or does not go on."""
    cuts = Cuts(http, replicas)
    for question in ("Hello", "日本 🙂", "What?"):
        await cuts.everywhere(CHAT, chat(question, allowed_token_ids=BYTES, repetition_penalty=1.5))
        await cuts.everywhere(COMPLETIONS, completion(question, allowed_token_ids=BYTES, repetition_penalty=1.5))
    assert cuts.made > cuts.refused


async def test_inside_reasoning(replicas: Fleet, http: httpx2.AsyncClient) -> None:
    """A chat that takes token ids in place of its messages goes on with them, as it must inside a reasoning."""
    fields = chat("What is it?", stream_options=USAGE, ignore_eos=True, max_tokens=12)
    cuts = Cuts(http, replicas)
    whole = heard(await posted(http, replicas.first.url, CHAT, codec.dumps(fields)))
    events = split_events(await posted(http, replicas.first.url, CHAT, sent(fields)))
    for at in range(2, finish_of(events)):
        recovery = recovery_of(CHAT, fields, BY_IDS)
        out = b"".join(recovery.feed(thought(event)) for event in events[:at])
        leg = await recovery.next_leg(cuts.ask, is_twin=True)
        assert leg is not None
        assert leg.path == CHAT
        again = heard(out + recovery.feed(await posted(http, replicas.second.url, leg.path, leg.body)))
        assert again.texts["reasoning"] + again.texts["content"] == whole.texts["content"]
        again.texts, again.said_by = whole.texts, whole.said_by
        assert again == whole
