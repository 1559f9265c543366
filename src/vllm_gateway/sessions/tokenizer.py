"""Counts the tokens of a conversation here, with a model's own tokenizer and chat template.

A folder as Hugging Face writes it: `tokenizer.json`, `tokenizer_config.json`, and the chat template in
`chat_template.jinja`, `chat_template.json` or the configuration. What comes out is what vLLM counts with that folder.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vllm_gateway import codec
from vllm_gateway.errors import ReplicaRefused
from vllm_gateway.sessions.template import ChatTemplate, TemplateRefused, TokenizerUnusable, library
from vllm_gateway.sessions.template_input import is_plain, takes_parts, variables

__all__ = ["LocalTokenizer", "TokenizerUnusable"]

Fields = dict[str, Any]

_LARGE_CHARACTERS = 16 * 1024
"""Longer prompts are encoded in a thread, so that nobody else waits for them."""
_LONGEST_REASON = 200
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class LocalTokenizer:
    """A tokenizer and its chat template."""

    def __init__(self, folder: Path) -> None:
        """Read the folder; that takes up to seconds.

        Raises:
            TokenizerUnusable: files are missing or are none, or the extra `tokenizer` is not installed.
        """
        config = {
            **_read_object(folder / "special_tokens_map.json"),
            **_read_object(folder / "tokenizer_config.json"),
        }
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        texts = _templates(folder, config)
        self._templates = {name: (ChatTemplate(text), takes_parts(text)) for name, text in texts.items()}
        self._special = {name: text for name in _SPECIAL if (text := _text_of(config.get(name))) is not None}

    def can_count(self, body: Mapping[str, Any]) -> bool:
        """Say whether the prompt of a chat completion's body is text alone: images, say, only the replica counts."""
        return is_plain(body)

    async def count(self, body: Mapping[str, Any]) -> int:
        """Return how many tokens the prompt of a chat completion's body has.

        Raises:
            ReplicaRefused: the template does not take this conversation.
        """
        prompt = self.render(body)
        has_more = bool(body.get("add_special_tokens"))
        if len(prompt) < _LARGE_CHARACTERS:
            return self._encode(prompt, has_more)
        return await asyncio.to_thread(self._encode, prompt, has_more)

    def render(self, body: Mapping[str, Any]) -> str:
        """Return the prompt as text.

        Raises:
            ReplicaRefused: the template does not take this conversation.
        """
        name = "tool_use" if body.get("tools") is not None and "tool_use" in self._templates else "default"
        template, is_split = self._templates[name]
        try:
            return template.render({**self._special, **variables(body, takes_parts=is_split)})
        except TemplateRefused as refused:
            reason = str(refused)[:_LONGEST_REASON]
            raise ReplicaRefused(
                f"The model's chat template does not take this conversation: {reason}", status=400, param="messages"
            ) from None

    def _encode(self, prompt: str, has_more: bool) -> int:  # noqa: FBT001 - the thread is given it by place
        return len(self._tokenizer.encode(prompt, add_special_tokens=has_more).ids)


def _tokenizer(file: Path) -> Any:  # noqa: ANN401 - the library is there only when it is needed
    tokenizers = library("tokenizers")
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        raise TokenizerUnusable(f"{file.parent} has no tokenizer.json that can be read: {error}.") from None
    tokenizer.no_truncation()  # some files still carry what they were trained with
    tokenizer.no_padding()
    return tokenizer


def _templates(folder: Path, config: Fields) -> dict[str, str]:
    """Return the chat templates of a folder by name; a file of its own counts before the configuration."""
    more = {file.stem: _read(file) for file in (folder / "additional_chat_templates").glob("*.jinja")}
    file = folder / "chat_template.jinja"
    found: object = _read(file) if file.is_file() else config.get("chat_template")
    if found is None:
        found = _read_object(folder / "chat_template.json").get("chat_template")
    if isinstance(found, list):  # several, by name
        more |= {each["name"]: each["template"] for each in found if isinstance(each, dict)}
    elif isinstance(found, str):
        more["default"] = found
    if "default" not in more:
        raise TokenizerUnusable(
            f"{folder} has no chat template: neither in chat_template.jinja nor in tokenizer_config.json."
        )
    return more


def _read_object(file: Path) -> Fields:
    """Return the object in a JSON file; an empty one when there is no such file."""
    if not file.is_file():
        return {}
    try:
        value = codec.loads(_read(file))
    except codec.MalformedJson as error:
        raise TokenizerUnusable(f"{file} cannot be read: {error}.") from None
    return value if isinstance(value, dict) else {}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TokenizerUnusable(f"{file} cannot be read: {error}.") from None


def _text_of(token: object) -> str | None:
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None
