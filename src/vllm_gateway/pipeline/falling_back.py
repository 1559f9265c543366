"""Other models for a request whose own model cannot answer: all its replicas have failed, or the prompt is too long."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

from vllm_gateway.errors import (
    ContextTooLong,
    GatewayError,
    LimitReached,
    ModelForbidden,
    ModelUnknown,
    QueueFull,
    QueueTimeout,
    ReplicaFailed,
    ReplicaOverloaded,
    ReplicaRefused,
    ReplicaSilent,
    ReplicasUnusable,
    ReplicaTruncated,
    ReplicaUnreachable,
    RouteUnsupported,
)
from vllm_gateway.exchange import Asked, Exchange, Sink

Answer = Callable[[Asked], Awaitable[None]]
"""Has something answered by the model that it names."""
_EXHAUSTED = (
    ModelUnknown,  # all who serve it may have been away since the gateway began
    QueueFull,
    QueueTimeout,
    ReplicaFailed,
    ReplicaOverloaded,
    ReplicaSilent,
    ReplicasUnusable,
    ReplicaTruncated,
    ReplicaUnreachable,
)
"""What is left to say when no replica of a model could answer."""
_ELSEWHERE = (ModelForbidden, ModelUnknown, RouteUnsupported)
"""Why a fallback is passed over: the caller may not have it, or it does not do what is asked."""
_NEXT = (*_EXHAUSTED, *_ELSEWHERE, LimitReached)
_OVERLOADED = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class FallingBack:
    """Knows which models stand in for which."""

    def __init__(
        self,
        fallbacks: Mapping[str, Sequence[str]],
        context_fallbacks: Mapping[str, Sequence[str]],
        *,
        aliases: Mapping[str, str],
    ) -> None:
        self._aliases = aliases
        self._after_failure = self._by_model(fallbacks)
        self._after_too_long = self._by_model(context_fallbacks)
        self.is_needed = bool(self._after_failure or self._after_too_long)
        """Any model has a fallback."""

    def others(self, model: str | None, error: GatewayError) -> Sequence[str]:
        """Return the models that stand in for `model` after such an error, the first choice first."""
        if _is_too_long(error):
            return self._after_too_long.get(self.meant(model), ())
        if isinstance(error, _EXHAUSTED) or _is_limited(error):
            return self._after_failure.get(self.meant(model), ())
        return ()

    async def answer(self, exchange: Exchange, asked: Asked, sink: Sink, *, first: Answer, other: Answer) -> None:
        """Have `asked` answered by the model that it names, or by one that stands in for it.

        A model is asked once, whatever the settings say of circles. `other` answers with a model that nobody asked
        for, so that the settings' list of those that may be asked for does not concern it; the caller's own list does.

        Raises:
            GatewayError: nobody answered. It is the error of the model that was asked for.
        """
        try:
            await first(asked)
        except GatewayError as error:
            if has_delivered(exchange, sink):
                raise
            candidates = _Candidates(self, exchange.model or asked.model)
            failed = error
            while (name := candidates.after(failed)) is not None:
                _begin_again(exchange)
                try:
                    await other(replace(asked, model=name, route=None))
                except GatewayError as again:
                    if has_delivered(exchange, sink) or not _goes_on(again):
                        raise
                    failed = again
                else:
                    return
            raise

    def meant(self, name: str | None) -> str:
        """Return the model behind a name."""
        return self._aliases.get(name or "", name or "")

    def _by_model(self, settings: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        """Return the settings by what is meant, for keys that are aliases."""
        found: dict[str, Sequence[str]] = {}
        for name, others in settings.items():
            model = self.meant(name)
            found[model] = (*found.get(model, ()), *others)
        return found


class _Candidates:
    """The models that are left to ask; none comes twice."""

    def __init__(self, falling_back: FallingBack, model: str | None) -> None:
        self._falling_back = falling_back
        self._model = model
        self._asked = {falling_back.meant(model)}
        self._names: deque[str] = deque()

    def after(self, error: GatewayError) -> str | None:
        """Return whom to ask next, after the one before has ended so; None when nobody is left."""
        self._names.extendleft(reversed(self._falling_back.others(self._model, error)))
        while self._names:
            self._model = self._names.popleft()
            if (meant := self._falling_back.meant(self._model)) not in self._asked:
                self._asked.add(meant)
                return self._model
        return None


def has_delivered(exchange: Exchange, sink: Sink) -> bool:
    """Say whether a part of an answer has reached the caller; comments of a stream are none."""
    if not sink.is_started:
        return False
    return not exchange.is_event_stream or (exchange.watch is not None and exchange.watch.has_data)


def _is_too_long(error: GatewayError) -> bool:
    """Say whether the prompt does not fit into the model's context, by the gateway's count or by the replica's."""
    return isinstance(error, ContextTooLong) or (isinstance(error, ReplicaRefused) and error.is_context_length)


def _goes_on(error: GatewayError) -> bool:
    """Say whether a fallback that ended so leaves the next one its chance."""
    return isinstance(error, _NEXT) or _is_limited(error) or _is_too_long(error)


def _is_limited(error: GatewayError) -> bool:
    """Say whether a replica refused a request in words that are for the caller, and yet not for what it asks."""
    return isinstance(error, ReplicaRefused) and error.status in _OVERLOADED


def _begin_again(exchange: Exchange) -> None:
    """Forget what the model that failed left on the exchange; its attempts still count."""
    exchange.watch = None
    exchange.events_so_far = None
    exchange.usage = None
    exchange.replica = None
    exchange.prefers = None
