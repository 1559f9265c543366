"""Prompts out of files."""

from pathlib import Path

import pytest

from vllm_gateway.bench.prompts.conversation import Conversation
from vllm_gateway.bench.prompts.files import PromptsUnreadable, read_prompts

TALK = (
    '[{"role": "system", "content": "rules"}, {"role": "user", "content": "a"},'
    ' {"role": "assistant", "content": "x"}, {"role": "user", "content": "b"}]'
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("first\n\n second \n", [Conversation(("first",)), Conversation(("second",))]),
        ('{"prompt": "a", "output_tokens": 9}\n{"text": "b"}', [Conversation(("a",), None, 9), Conversation(("b",))]),
        (f'{{"messages": {TALK}, "max_tokens": 5}}', [Conversation(("a",), "rules", 5)]),
        (
            '[{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "x"}]}]',
            [Conversation(("a",))],
        ),
        (
            '["a", "b", "", 7, {"id": 1}, {"conversations": [{"from": "gpt"}]}]',
            [Conversation(("a",)), Conversation(("b",))],
        ),
        ("[1] a plain line\nanother", [Conversation(("[1] a plain line",)), Conversation(("another",))]),
    ],
)
def test_forms_are_told_apart(tmp_path: Path, text: str, found: list[Conversation]) -> None:
    """By what is in a file, not by its name; recorded answers are left out."""
    path = tmp_path / "prompts"
    path.write_text(text)
    assert read_prompts(path) == found


def test_turns_are_kept_as_far_as_wanted(tmp_path: Path) -> None:
    """The first ones."""
    path = tmp_path / "talks.jsonl"
    path.write_text(f'{{"messages": {TALK}}}')
    assert read_prompts(path, turns=5) == [Conversation(("a", "b"), "rules")]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff\xfe", "it is no UTF-8 text"),
        (b"", "There are no prompts in"),
        (b"[]", "There are no prompts in"),
        (b'{"prompt": "a"}\n{"prompt', "Line 2 of"),
        (b'{"answer": "a"}', "it takes JSON lines with 'prompt' or 'messages'"),
    ],
)
def test_another_file_is_a_mistake(tmp_path: Path, data: bytes | None, sentence: str) -> None:
    """The sentence names it."""
    path = tmp_path / "prompts.jsonl"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(PromptsUnreadable, match=sentence) as caught:
        read_prompts(path)
    assert str(path) in str(caught.value)
