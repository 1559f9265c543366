"""Counting with a tokenizer folder, rendered as vLLM renders it."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing

from vllm_gateway import codec
from vllm_gateway.errors import ReplicaRefused
from vllm_gateway.sessions.tokenizer import LocalTokenizer, TokenizerUnusable

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
STRICT = "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('No system!') }}{% endif %}{{ m.content }}{{ eos_token }}{% endfor %}"  # noqa: E501 - a template is one line
HI = {"role": "user", "content": "Hi"}


def write(folder: Path, config: dict[str, Any] | None = None, **files: str) -> Path:
    """Write a tokenizer folder whose tokens are characters, but for special ones; return it."""
    tokenizer = tokenizers.Tokenizer(WordLevel({"?": 0, "<s>": 1}, unk_token="?"))  # noqa: S106 - it is a token
    tokenizer.pre_tokenizer = Split("", "isolated")
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>", "<s>", "</s>"])
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_bytes(codec.dumps(config or {}))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


async def test_the_template_and_the_tokenizer_together_count_a_prompt(tmp_path: Path) -> None:
    """Every character is a token here and special tokens are one; nothing is cut off, filled up or added."""
    tokenizer = LocalTokenizer(write(tmp_path, {"chat_template": CHATML}))
    body = {"model": "m", "messages": [{"role": "system", "content": "Be."}, HI], "max_tokens": 4}
    assert tokenizer.render(body) == (
        "<|im_start|>system\nBe.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert await tokenizer.count(body) == (1 + 6 + 1 + 3 + 1 + 1) + (1 + 4 + 1 + 2 + 1 + 1) + (1 + 9 + 1)
    assert await tokenizer.count({**body, "add_generation_prompt": False}) == 13 + 10
    assert await tokenizer.count({**body, "add_special_tokens": True}) == 13 + 10 + 11 + 1


async def test_a_long_prompt_holds_up_nobody(tmp_path: Path) -> None:
    """It is encoded in a thread: the event loop goes on meanwhile."""
    tokenizer = LocalTokenizer(write(tmp_path, {"chat_template": "{{ messages[0].content }}"}))
    counting = asyncio.get_running_loop().create_task(
        tokenizer.count({"messages": [{"role": "user", "content": "ab" * 50_000}]})
    )
    rounds = 0
    while not counting.done():
        await asyncio.sleep(0)
        rounds += 1
    assert await counting == 100_000
    assert rounds > 3


@pytest.mark.parametrize(
    ("config", "files"),
    [
        ({"chat_template": CHATML}, {}),
        ({"chat_template": [{"name": "other", "template": "x"}, {"name": "default", "template": CHATML}]}, {}),
        ({"chat_template": "not this one"}, {"chat_template__jinja": CHATML}),
        ({}, {"chat_template__json": codec.dumps({"chat_template": CHATML}).decode()}),
    ],
    ids=["configuration", "named", "file", "json"],
)
def test_the_template_may_stand_in_several_places(
    tmp_path: Path, config: dict[str, Any], files: dict[str, str]
) -> None:
    """A file of its own counts before the configuration."""
    tokenizer = LocalTokenizer(write(tmp_path, config, **files))
    assert tokenizer.render({"messages": [HI]}) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_a_template_for_tools_is_taken_when_there_are_tools(tmp_path: Path) -> None:
    """Some models have one more template; it may stand in the configuration or in a file."""
    body: dict[str, Any] = {"messages": [HI], "tools": [{"type": "function", "function": {"name": "f"}}]}
    named = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "{{ tools[0].function.name }}"}]
    (tmp_path / "b" / "additional_chat_templates").mkdir(parents=True)
    (tmp_path / "b" / "additional_chat_templates" / "tool_use.jinja").write_text(str(named[1]["template"]))
    for tokenizer in (
        LocalTokenizer(write(tmp_path / "a", {"chat_template": named})),
        LocalTokenizer(write(tmp_path / "b", {"chat_template": "plain"})),
    ):
        assert tokenizer.render(body) == "f"
        assert tokenizer.render({"messages": [HI]}) == "plain"


def test_special_tokens_have_several_spellings(tmp_path: Path) -> None:
    """A string, an object with its content, or the file that older folders have."""
    config = {"chat_template": STRICT, "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}}
    assert LocalTokenizer(write(tmp_path / "a", config)).render({"messages": [HI]}) == "<s>Hi</s>"
    older = {"chat_template": STRICT, "bos_token": "<s>", "eos_token": None}
    folder = write(tmp_path / "b", {"chat_template": STRICT}, special_tokens_map__json=codec.dumps(older).decode())
    assert LocalTokenizer(folder).render({"messages": [HI]}) == "<s>Hi"


async def test_a_conversation_that_the_template_does_not_take_is_refused(tmp_path: Path) -> None:
    """The caller reads the template's own reason, as vLLM would tell it."""
    tokenizer = LocalTokenizer(write(tmp_path, {"chat_template": STRICT}))
    with pytest.raises(ReplicaRefused, match=r"does not take this conversation: .*No system!") as refused:
        await tokenizer.count({"messages": [{"role": "system", "content": "x"}, HI]})
    assert (refused.value.status, refused.value.param) == (400, "messages")


def test_what_is_more_than_text_is_left_to_the_replica(tmp_path: Path) -> None:
    """How many tokens an image takes, only the model's own processor knows."""
    tokenizer = LocalTokenizer(write(tmp_path, {"chat_template": CHATML}))
    assert tokenizer.can_count({"messages": [HI]})
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    assert not tokenizer.can_count({"messages": [{"role": "user", "content": [image]}]})


def test_a_folder_that_is_not_complete_is_told_by_what_it_lacks(tmp_path: Path) -> None:
    """Whoever set it reads which file is missing or broken."""
    (tmp_path / "none").mkdir()
    with pytest.raises(TokenizerUnusable, match=r"none has no tokenizer\.json that can be read"):
        LocalTokenizer(tmp_path / "none")
    with pytest.raises(TokenizerUnusable, match=r"has no chat template: neither in chat_template\.jinja nor in"):
        LocalTokenizer(write(tmp_path / "a"))
    with pytest.raises(TokenizerUnusable, match="The chat template cannot be read"):
        LocalTokenizer(write(tmp_path / "b", {"chat_template": "{% if %}"}))
    broken = write(tmp_path / "c", {"chat_template": CHATML})
    (broken / "tokenizer_config.json").write_text("{")
    with pytest.raises(TokenizerUnusable, match=r"tokenizer_config\.json cannot be read"):
        LocalTokenizer(broken)


def test_a_missing_package_is_told_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway runs without the extra until somebody names a folder."""
    folder = write(tmp_path, {"chat_template": CHATML})
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(TokenizerUnusable, match=r"Run: pip install 'vllm-gateway\[tokenizer\]'$"):
        LocalTokenizer(folder)
