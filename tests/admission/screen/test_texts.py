"""All that a JSON value says."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway import codec
from vllm_gateway.admission.screen.texts import texts

PICTURE = "data:image/png;base64,bomb" + "QUJD" * 100
VALUES = st.recursive(
    st.none() | st.integers() | st.text(min_size=1, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


def leaves(value: object) -> list[str]:
    """Return every text of a value, the plain way."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in leaves(each)]


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_every_text_is_given(fields: dict[str, object]) -> None:
    """However deep it stands and whatever stands around it."""
    assert sorted(texts(fields)) == sorted(leaves(fields))


def test_a_text_in_parts_is_also_given_whole() -> None:
    """A word could be divided among the parts of a message; templates join them with and without a line's end."""
    parts = [{"type": "text", "text": "bo"}, {"type": "image_url"}, {"type": "text", "text": "mb"}]
    assert set(texts({"messages": [{"role": "user", "content": parts}]})) == {"bo", "mb", "bomb", "bo\nmb"}


def test_texts_of_different_speakers_are_not_joined() -> None:
    """What two documents or two messages say is no text together."""
    documents = [{"text": "bo"}, {"text": "mb"}]
    assert sorted(texts({"documents": documents})) == ["bo", "mb"]


def test_names_that_a_caller_chooses_are_texts() -> None:
    """The names of a tool's parameters reach the model; those of the protocol and of JSON schema are not chosen."""
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"my_name": {"description": "it"}}}}
    fields = {"tools": [{"type": "function", "function": tool}]}
    assert sorted(texts(fields)) == ["f", "it", "my_name"]
    call = {"type": "tool_use", "name": "f", "input": {"my_name": {"inner": 1}}}
    assert sorted(texts({"content": [call]})) == ["f", "inner", "my_name"]


def test_the_arguments_of_a_call_are_also_given_as_a_model_sees_them() -> None:
    """They are JSON inside a text, where every letter can be written as a number."""
    given_texts = set(texts({"function": {"arguments": '{"\\u0061b": ["\\u0062omb"]}'}}))
    assert {"ab", "bomb"} < given_texts
    assert list(texts({"arguments": "no \\ JSON"})) == ["no \\ JSON"]


def test_media_are_no_texts() -> None:
    """Pictures and sounds are left out where they stand, and nowhere else."""
    long = "QUJD" * 100
    said = [
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "input_image", "image_url": PICTURE},
        {"type": "input_audio", "input_audio": {"data": long, "format": "wav"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": long}},
    ]
    assert sorted(texts({"content": said})) == ["base64", "image/png", "wav"]
    assert list(texts({"text": PICTURE})) == [PICTURE]
    assert list(texts({"url": "https://example.com/bomb"})) == ["https://example.com/bomb"]
    assert list(texts({"url": "data: a bomb"})) == ["data: a bomb"]
    assert list(texts({"data": "bomb"})) == ["bomb"]


def test_words_of_the_protocol_are_no_texts() -> None:
    """Whoever denies `user` or `text` does not mean the protocol; a role of the caller's own is a text."""
    parts = [{"type": "text", "text": "a"}]
    assert list(texts({"messages": [{"role": "user", "content": parts}]})) == ["a"]
    assert list(texts({"role": "bomb"})) == ["bomb"]
    assert list(texts({"type": "bomb"})) == ["bomb"]


def test_depth_is_no_danger() -> None:
    """A value that is nested to the limit of the parser is walked through."""
    value = codec.loads(b'{"a":' + b"[" * 200 + b'"bomb"' + b"]" * 200 + b"}")
    assert list(texts(value)) == ["bomb"]
