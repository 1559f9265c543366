"""Chat templates, rendered as `transformers` renders them, by an engine that needs neither it nor Jinja itself.

See https://huggingface.co/docs/transformers/chat_templating_writing for what templates may rely on.
"""

import importlib
import re
from collections.abc import Sized
from datetime import datetime
from typing import Any

from vllm_gateway import codec

INSTALL = "pip install 'vllm-gateway[tokenizer]'"
_GENERATION = re.compile(r"\{%(-?)\s*(end)?generation\s*(-?)%\}")
"""Marks what a model said, for training; here it is only a block."""


class TokenizerUnusable(Exception):
    """The folder, or what reads it, is not complete; the message says what is missing and what to do."""


class TemplateRefused(Exception):
    """The template does not take a conversation; the message is its own."""


class ChatTemplate:
    """One chat template."""

    def __init__(self, text: str) -> None:
        """Read the template.

        Raises:
            TokenizerUnusable: it is none, or the extra `tokenizer` is not installed.
        """
        engine = library("minijinja")
        environment = engine.Environment(trim_blocks=True, lstrip_blocks=True, pycompat=True)
        environment.add_function("raise_exception", _raise)
        environment.add_function("strftime_now", _strftime_now)
        environment.add_filter("tojson", _to_json)
        environment.add_test("iterable", _is_iterable)
        environment.add_test("sequence", _is_sequence)
        try:
            environment.add_template("chat", _GENERATION.sub(_as_block, text))
        except engine.TemplateError as error:
            raise TokenizerUnusable(f"The chat template cannot be read: {error.message}.") from None
        self._environment = environment

    def render(self, known: dict[str, Any]) -> str:
        """Return the prompt that the template makes of what it may know.

        Raises:
            TemplateRefused: it says itself that it takes no such conversation, or it fails at this one.
        """
        try:
            return str(self._environment.render_template("chat", **known))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this conversation: the template was read
            raise TemplateRefused(str(error).splitlines()[0]) from None


def library(name: str) -> Any:  # noqa: ANN401 - a module
    """Return a package of the extra `tokenizer`.

    Raises:
        TokenizerUnusable: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise TokenizerUnusable(f"'tokenizer_path' needs a package that is not installed. Run: {INSTALL}") from None


def _as_block(tag: re.Match[str]) -> str:
    left, is_end, right = tag.groups()
    return f"{{%{left} {'endif' if is_end else 'if true'} {right}%}}"


def _raise(message: str) -> None:
    raise TemplateRefused(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)  # noqa: DTZ005 - templates get the local time


def _to_json(
    value: object,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 - templates may give it by place
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002 - see above
) -> str:
    """Write JSON with spaces, as Python's own library does: models were trained on that."""
    return codec.dumps_spaced(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _is_iterable(value: object) -> bool:
    return hasattr(value, "__iter__")


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sized) and hasattr(value, "__getitem__")
