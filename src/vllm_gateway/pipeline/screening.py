"""The deny-list before and behind a replica: what is asked, and, when that is on, what is answered."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from typing_extensions import override

from vllm_gateway.admission.screen.answered import REFUSED, check_answer
from vllm_gateway.admission.screen.asked import check_asked
from vllm_gateway.admission.screen.patterns import DenyList
from vllm_gateway.cache.keys import digest
from vllm_gateway.dialects.screened import ScreenedWatch
from vllm_gateway.exchange import Asked, Exchange, Sink
from vllm_gateway.pipeline.held import Held
from vllm_gateway.settings.admission import Rules


class Screening:
    """Holds what is said against the deny-list of the settings."""

    def __init__(self, deny: DenyList, *, answers: bool, window: int, name: str = "") -> None:
        self.name = name
        """The same for what holds answers against the same; empty where no answer is held against anything."""
        self._deny = deny
        self._answers = answers
        self._window = window

    def check(self, asked: Asked) -> None:
        """Refuse a request that says something denied.

        Raises:
            ContentRefused: it does.
            FieldInvalid: it cannot be told, because a prompt is no text.
        """
        self.check_fields(asked.fields)
        if asked.saying is not None:
            self.check_fields({"messages": asked.saying.messages})

    def check_fields(self, fields: dict[str, Any]) -> None:
        """Refuse a body that says something denied, be it sent to a replica now or later; raises as `check` does."""
        check_asked(fields, self._deny)

    async def relay(
        self, exchange: Exchange, asked: Asked, sink: Sink, relay: Callable[[Asked, Sink], Awaitable[None]]
    ) -> None:
        """Have `asked` relayed into `sink`, without anything denied where answers are looked at too.

        Raises:
            ContentRefused: something denied was answered; none of it has left.
        """
        if not self._answers:
            await relay(asked, sink)
            return
        watched = partial(ScreenedWatch, asked.new_watch, self._deny.find, self._window, refusal=REFUSED)
        whole = _Whole(sink)
        await relay(replace(asked, new_watch=watched), whole)
        if not whole.is_stream and exchange.status == HTTPStatus.OK:
            check_answer(whole.seen, self._deny)
        whole.release()


class _Whole(Held):
    """Keeps an answer in one piece until it is released; a stream passes."""

    @override
    def write(self, data: bytes) -> None:
        if self.is_stream:
            self._sink.write(data)
        else:
            super().write(data)


def screening_for(rules: Rules) -> Screening | None:
    """Return what the settings ask for; None where nothing is denied.

    Raises:
        ScreenUnusable: a pattern is none, or the library that matches is not installed.
    """
    if not rules.deny_words and not rules.deny_patterns:
        return None
    deny = DenyList(rules.deny_words, rules.deny_patterns)
    said = [rules.deny_words, rules.deny_patterns, rules.deny_window]
    name = digest(said).hex() if rules.deny_output else ""
    return Screening(deny, answers=rules.deny_output, window=rules.deny_window, name=name)
