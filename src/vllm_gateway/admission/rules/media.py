"""Pictures, sounds and videos: they are sent along, and not fetched by a replica from where a caller says."""

import re
from typing import Any

from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.admission import Rules

_ADDRESSES = frozenset({"image_url", "audio_url", "video_url", "file_url", "source", "prompt_embeds"})
"""Members of a part that tell where something is, as an address or as an object with a `url`; and ready-made tensors,
which a part may hold as well as a body."""
_INSIDE = ("content", "output")
"""Members that hold parts again, as the results of tools do."""
_PLACES = frozenset({"input", "query", "queries", "documents", "text_1", "text_2", "data_1", "data_2", "items"})
"""Fields beside `messages` that may hold parts."""
_REMOTE = re.compile(r"https?://[!-\[\]-~]+", re.IGNORECASE)
"""An address that all who read it understand alike: no spaces, no backslash."""


class Media:
    """Refuses media that a replica would have to fetch."""

    def __init__(self, rules: Rules) -> None:
        self._may_be_remote = rules.remote_media
        self._takes_embeds = "prompt_embeds" in rules.allow_fields

    def check(self, asked: Asked) -> None:
        """Refuse an address that is none of `data:`, unless remote ones are allowed.

        Raises:
            FieldInvalid: there is one; the refusal names its place.
        """
        self._check_messages(asked.fields.get("messages"))
        if asked.saying is not None:
            self._check_messages(asked.saying.messages)
        if _PLACES.isdisjoint(asked.fields):
            return
        for name in asked.fields:
            if name in _PLACES and not _is_tokens(asked.fields[name]):
                self._refuse(name, self._blamed(asked.fields[name]))

    def _check_messages(self, messages: object) -> None:
        if not isinstance(messages, list):
            return
        for number, message in enumerate(messages):
            content = message.get("content") if type(message) is dict else None
            if content is not None and type(content) is not str:
                self._refuse(f"messages[{number}].content", self._blamed(content))

    def _refuse(self, place: str, blamed: str | None) -> None:
        if blamed is None:
            return
        where = place + blamed
        if blamed.endswith("prompt_embeds"):
            raise FieldInvalid(f"'{where}' may not be used here. Leave it out.", param=where)
        takes = "a 'data:' or 'https:' address" if self._may_be_remote else "a 'data:' address; nothing is fetched"
        raise FieldInvalid(f"'{where}' must be {takes}.", param=where)

    def _blamed(self, value: object) -> str | None:
        """Return where within a value something is refused; None: nowhere. The body's depth has been bounded."""
        if type(value) is dict:
            return self._blamed_member(value)
        if type(value) is not list:
            return None
        for number, each in enumerate(value):
            if type(each) is dict and (blamed := self._blamed_member(each)):
                return f"[{number}]{blamed}"
        return None

    def _blamed_member(self, part: dict[str, Any]) -> str | None:
        if not _ADDRESSES.isdisjoint(part):
            for name in _ADDRESSES:
                if (value := part.get(name)) is not None and (blamed := self._blamed_address(name, value)) is not None:
                    return f".{name}{blamed}"
        if part.get("type") == "prompt_embeds" and not self._takes_embeds:
            return ".prompt_embeds"
        for name in _INSIDE:
            if name in part and (blamed := self._blamed(part[name])):
                return f".{name}{blamed}"
        return None

    def _blamed_address(self, name: str, value: object) -> str | None:
        if name == "prompt_embeds":
            return None if self._takes_embeds else ""
        if isinstance(value, dict):
            address, blamed = value.get("url"), ".url"
        else:
            address, blamed = value, ""
        if not isinstance(address, str) or (name == "source" and not blamed) or address.startswith("data:"):
            return None
        return None if self._may_be_remote and _REMOTE.fullmatch(address) else blamed


def _is_tokens(value: object) -> bool:
    """Say whether a text is given by its tokens, of which there may be very many."""
    return type(value) is list and bool(value) and type(value[0]) is int
