"""Media that a replica would have to fetch (S-11)."""

from typing import Any

import pytest

from tests.admission.rules.bodies import CHAT, COMPLETIONS, EMBEDDINGS, MESSAGES, RESPONSES, understood
from vllm_gateway.admission.rules.media import Media
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.settings.admission import Rules

DATA = "data:image/png;base64,iVBORw0KGgo="
TEXT = {"type": "text", "text": "What is this? https://example.com/"}
ADDRESSES = [
    "http://example.com/a.png",
    "https://example.com/a.png",
    "http://169.254.169.254/latest/meta-data",
    "http://2852039166/",
    "http://good\\@evil",
    "file:///etc/passwd",
    "ftp://example.com/a",
    "//example.com/a.png",
    "/etc/passwd",
    " data:image/png;base64,",
    "\thttp://example.com/",
    "DATAX:,",
    "",
]
PLACES: list[tuple[str, str, Any]] = [
    (
        CHAT,
        "messages[1].content[1].image_url.url",
        lambda it: {
            "messages": [
                {"role": "system", "content": "x"},
                {"role": "user", "content": [TEXT, {"type": "image_url", "image_url": {"url": it}}]},
            ]
        },
    ),
    (CHAT, "messages[0].content[0].image_url", lambda it: said({"image_url": it})),
    (CHAT, "messages[0].content[0].image_url.url", lambda it: said({"uuid": "1", "image_url": {"url": it}})),
    (CHAT, "messages[0].content[0].audio_url.url", lambda it: said({"type": "audio_url", "audio_url": {"url": it}})),
    (CHAT, "messages[0].content[0].video_url.url", lambda it: said({"type": "video_url", "video_url": {"url": it}})),
    (CHAT, "messages[0].content[0].image_url", lambda it: said({"type": "input_image", "image_url": it})),
    ("/tokenize", "messages[0].content[0].image_url", lambda it: said({"image_url": it})),
    (EMBEDDINGS, "messages[0].content[0].image_url", lambda it: said({"image_url": it})),
    (MESSAGES, "messages[0].content[0].source.url", lambda it: said({"type": "image", "source": by_url(it)})),
    (MESSAGES, "messages[0].content[0].source.url", lambda it: said({"type": "document", "source": by_url(it)})),
    (
        MESSAGES,
        "messages[0].content[0].content[1].source.url",
        lambda it: said({"type": "tool_result", "content": [TEXT, {"type": "image", "source": by_url(it)}]}),
    ),
    (
        RESPONSES,
        "input[0].content[0].image_url",
        lambda it: {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": it}]}]},
    ),
    (
        RESPONSES,
        "input[0].content[0].file_url",
        lambda it: {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": it}]}]},
    ),
    (
        RESPONSES,
        "input[1].output[0].image_url",
        lambda it: {"input": [{}, {"type": "function_call_output", "output": [{"image_url": it}]}]},
    ),
    (
        RESPONSES,
        "input[0].output.image_url",
        lambda it: {"input": [{"type": "computer_call_output", "output": {"image_url": it}}]},
    ),
    ("/v1/score", "data_2.content[0].image_url.url", lambda it: {"data_2": {"content": [{"image_url": by_url(it)}]}}),
    (
        "/v1/rerank",
        "documents[0].content[0].image_url",
        lambda it: {"documents": [{"content": [{"image_url": it}]}]},
    ),
    ("/api/chat", "messages[0].content[0].image_url", lambda it: said({"image_url": it})),
    ("/v1/sessions/{id}/chat", "messages[0].content[0].image_url", lambda it: said({"image_url": it})),
]
"""Route, where an address stands, and the fields around it."""
ALL_PLACES = pytest.mark.parametrize(("path", "where", "around"), PLACES)


def said(part: dict[str, Any]) -> dict[str, Any]:
    """Return a conversation of one part."""
    return {"messages": [{"role": "user", "content": [part]}]}


def by_url(address: str) -> dict[str, str]:
    """Return a source that is an address."""
    return {"type": "url", "url": address}


def refusal(path: str, fields: dict[str, Any], rules: Rules) -> FieldInvalid:
    """Return why it is refused."""
    with pytest.raises(FieldInvalid) as refused:
        Media(rules).check(understood(path, **fields))
    return refused.value


@ALL_PLACES
@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_fetched_for_a_caller(path: str, where: str, around: Any, address: str) -> None:  # noqa: ANN401 - a function of an address
    """S-11: whatever the address and wherever it stands; the refusal names the place."""
    refused = refusal(path, around(address), Rules())
    assert (refused.status, refused.param) == (400, where)
    assert refused.message == f"'{where}' must be a 'data:' address; nothing is fetched."


@ALL_PLACES
def test_what_is_sent_along_passes(path: str, where: str, around: Any) -> None:  # noqa: ANN401 - a function of an address
    """A `data:` address needs nobody to fetch it, whatever is allowed."""
    assert where
    for is_remote in (True, False):
        Media(Rules(remote_media=is_remote)).check(understood(path, **around(DATA)))


@ALL_PLACES
def test_remote_media_may_be_allowed(path: str, where: str, around: Any) -> None:  # noqa: ANN401 - a function of an address
    """S-11: by `http` and `https`, and by nothing that two readers would read differently."""
    rules = Rules(remote_media=True)
    for address in ("http://example.com/a.png", "https://example.com/a?b=c%20d#e", "HTTPS://example.com/"):
        Media(rules).check(understood(path, **around(address)))
    for address in ("file:///etc/passwd", "http://good\\@evil", "http://a b/", "https://", "//x", "http://a\n", "x"):
        assert refusal(path, around(address), rules).param == where


@pytest.mark.parametrize("part", [{"type": "prompt_embeds", "data": "x"}, {"prompt_embeds": "x"}])
def test_tensors_are_refused_like_the_field_of_their_name(part: dict[str, Any]) -> None:
    """S-12: a part of a message can hold them too."""
    refused = refusal(CHAT, said(part), Rules())
    assert refused.param == "messages[0].content[0].prompt_embeds"
    Media(Rules(allow_fields=("prompt_embeds",))).check(understood(**said(part)))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"messages": 7},
        {"messages": [7, None, "x", [], {"content": 7}, {"content": None}, {"content": [7, "x", None, ["x"]]}]},
        said({"type": "unheard_of", "url": "http://example.com"}),
        said({"type": "image_url", "image_url": None, "uuid": "1"}),
        said({"type": "image_url", "image_url": 7}),
        said({"type": "image_url", "image_url": {"url": [1]}}),
        said({"type": "search_result", "source": "https://example.com/", "content": [TEXT]}),
        said({"type": "image", "source": {"type": "base64", "data": "iVBORw0KGgo="}}),
        said({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": '{"image_url":"http://x"}'}}]}]},
        {"tools": [{"function": {"parameters": {"properties": {"image_url": {"type": "string"}}}}}]},
    ],
)
def test_all_else_passes(fields: dict[str, Any]) -> None:
    """Parts that are not known, and what is no address at all, are the replica's to judge."""
    Media(Rules()).check(understood(**fields))


def test_texts_and_tokens_pass() -> None:
    """Where a text stands that mentions an address, nothing is fetched."""
    Media(Rules()).check(understood(RESPONSES, input="http://example.com"))
    Media(Rules()).check(understood(EMBEDDINGS, input=[7] * 1000))
    Media(Rules()).check(understood(EMBEDDINGS, input=[[7, 8], ["x"], "http://example.com"]))
    Media(Rules()).check(understood(COMPLETIONS, prompt="file:///etc/passwd"))
    Media(Rules()).check(understood("/v1/rerank", query="x", documents=["http://example.com"]))
