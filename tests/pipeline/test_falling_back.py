"""Which model stands in for one that cannot answer."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.exchanges import exchange as new_exchange
from vllm_gateway.errors import (
    BudgetUnchecked,
    ContextTooLong,
    FieldInvalid,
    GatewayError,
    LimitReached,
    ModelForbidden,
    ModelUnknown,
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
from vllm_gateway.exchange import Asked, Exchange, Flow, Headers, T
from vllm_gateway.pipeline.falling_back import FallingBack

FAILED = ReplicaFailed("The model server failed.")
TOO_LONG = ReplicaRefused("Too long.", status=400, param=None, is_context_length=True)
BAD = FieldInvalid("Wrong.", param="n")


class Caller:
    """A sink of which only the head matters."""

    is_gone = False

    def __init__(self) -> None:
        self.is_started = False

    def feed_from(self, flow: Flow | None) -> None:
        """Nothing flows."""

    def start(self, status: int, headers: Headers) -> None:  # noqa: ARG002 - a sink's
        """Note that the reply has begun."""
        self.is_started = True

    def write(self, data: bytes) -> None:
        """Lose it."""

    def end(self) -> None:
        """Do nothing."""

    def cut(self) -> None:
        """Do nothing."""

    def drop(self) -> None:
        """Do nothing."""

    async def until(self, done: "asyncio.Future[T]") -> T:
        """Wait."""
        return await done


class Models:
    """Answers or fails as each model is said to, and notes who was asked."""

    def __init__(self, **fates: GatewayError) -> None:
        self.asked: list[tuple[str, str | None, bool]] = []
        self.exchange = new_exchange()
        self.sink = Caller()
        self._fates = fates

    async def first(self, asked: Asked) -> None:
        """Have the model answer that was asked for."""
        self._answer(asked, is_other=False)

    async def other(self, asked: Asked) -> None:
        """Have another model answer."""
        self._answer(asked, is_other=True)

    @property
    def names(self) -> list[str]:
        """The models in the order in which they were asked."""
        return [name for name, _, _ in self.asked]

    def _answer(self, asked: Asked, *, is_other: bool) -> None:
        name = asked.model or ""
        self.asked.append((name, asked.route, is_other))
        self.exchange.model = name
        self.exchange.attempts += 1
        if name in self._fates:
            raise self._fates[name]


def asking(exchange: Exchange, model: str, route: str | None = None) -> Asked:
    """Return a request for a model."""
    asked = exchange.operation.read(b'{"model":"%s","messages":[]}' % model.encode())
    return replace(asked, route=route)


async def answered(
    models: Models,
    fallbacks: Mapping[str, Sequence[str]],
    larger: Mapping[str, Sequence[str]] | None = None,
    *,
    aliases: Mapping[str, str] | None = None,
    model: str = "a",
) -> list[str]:
    """Have model a answer, or one that stands in for it; return who was asked."""
    falling_back = FallingBack(fallbacks, larger or {}, aliases=aliases or {})
    await falling_back.answer(
        models.exchange, asking(models.exchange, model), models.sink, first=models.first, other=models.other
    )
    return models.names


async def test_a_model_that_answers_needs_nobody() -> None:
    """Nothing else is asked."""
    assert await answered(Models(), {"a": ["b"]}) == ["a"]


@pytest.mark.parametrize(
    "error",
    [
        FAILED,
        ReplicaUnreachable("No connection."),
        ReplicaOverloaded("Too much to do."),
        ReplicaSilent("Silent."),
        ReplicaTruncated("Broke off."),
        ReplicasUnusable("None is healthy."),
        QueueTimeout("Waited for too long."),
        ReplicaRefused("Slow down.", status=429, param=None),
        ReplicaRefused("Took too long.", status=408, param=None),
    ],
    ids=lambda error: f"{type(error).__name__}-{int(error.status)}",
)
async def test_others_are_tried_in_their_order_when_a_model_is_exhausted(error: GatewayError) -> None:
    """Until one answers; attempts go on counting."""
    models = Models(a=error, b=FAILED)
    assert await answered(models, {"a": ["b", "c", "d"]}) == ["a", "b", "c"]
    assert models.asked[1:] == [("b", None, True), ("c", None, True)]
    assert models.exchange.model == "c"
    assert models.exchange.attempts == 3


@pytest.mark.parametrize(
    "error",
    [
        BAD,
        ReplicaRefused("Content filter.", status=400, param=None),
        ReplicaRefused("Unprocessable.", status=422, param=None),
        LimitReached("Too many requests."),
        ModelForbidden("Not for you."),
        BudgetUnchecked("Nobody knows."),
        RouteUnsupported("Not offered."),
        ContextTooLong("Too long."),
        TOO_LONG,
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_another_model_would_not_make_good_is_told(error: GatewayError) -> None:
    """The caller's own mistakes and limits are no reason for another model."""
    models = Models(a=error)
    with pytest.raises(type(error)):
        await answered(models, {"a": ["b"]})
    assert models.names == ["a"]


@pytest.mark.parametrize("error", [TOO_LONG, ContextTooLong("A turn is too long.")])
async def test_a_larger_model_takes_what_is_too_long(error: GatewayError) -> None:
    """Its own list says which; a failure is not for that list."""
    assert await answered(Models(a=error, large=error), {"a": ["b"]}, {"a": ["large", "huge"]}) == [
        "a",
        "large",
        "huge",
    ]
    failing = Models(a=FAILED)
    with pytest.raises(ReplicaFailed):
        await answered(failing, {}, {"a": ["large"]})
    assert failing.names == ["a"]


async def test_when_nobody_answers_the_first_error_is_told() -> None:
    """It is about the model that was asked for."""
    models = Models(a=ReplicaSilent("a is silent."), b=FAILED, c=ModelForbidden("Not for you."))
    with pytest.raises(ReplicaSilent, match="a is silent"):
        await answered(models, {"a": ["b", "c"]})
    assert models.names == ["a", "b", "c"]


@pytest.mark.parametrize("error", [ModelForbidden("x"), ModelUnknown("x"), RouteUnsupported("x"), LimitReached("x")])
async def test_a_fallback_that_is_not_to_be_had_is_passed_over(error: GatewayError) -> None:
    """The caller may not use it, nobody serves it, or it does not do what is asked."""
    assert await answered(Models(a=FAILED, b=error), {"a": ["b", "c"]}) == ["a", "b", "c"]


async def test_a_mistake_that_a_fallback_finds_is_told() -> None:
    """It would be asked in vain again."""
    models = Models(a=FAILED, b=BAD)
    with pytest.raises(FieldInvalid):
        await answered(models, {"a": ["b", "c"]})
    assert models.names == ["a", "b"]


async def test_fallbacks_have_fallbacks_and_circles_end() -> None:
    """Depth first, each model once, whatever the settings say."""
    circles = {"a": ["b", "c"], "b": ["a", "b", "d"], "d": ["b"], "c": ["a", "d"]}
    models = Models(a=FAILED, b=FAILED, c=FAILED, d=FAILED)
    with pytest.raises(ReplicaFailed):
        await answered(models, circles)
    assert models.names == ["a", "b", "d", "c"]


async def test_a_fallback_may_find_it_too_long() -> None:
    """Then its own larger models are next."""
    assert await answered(Models(a=FAILED, b=TOO_LONG), {"a": ["b", "c"]}, {"b": ["large"]}) == ["a", "b", "large"]


async def test_aliases_are_the_models_that_they_stand_for() -> None:
    """As keys, as values, and against circles."""
    aliases = {"nick": "a", "other": "b"}
    assert await answered(Models(a=FAILED), {"nick": ["other"]}, aliases=aliases) == ["a", "other"]
    assert await answered(Models(nick=FAILED), {"a": ["b"]}, aliases=aliases, model="nick") == ["nick", "b"]
    both = Models(a=FAILED, b=FAILED)
    with pytest.raises(ReplicaFailed):
        await answered(both, {"a": ["b", "other", "nick"]}, aliases=aliases)
    assert both.names == ["a", "b"]


async def test_nothing_is_tried_behind_a_part_of_an_answer() -> None:
    """What has reached the caller cannot come from another model any more."""
    models = Models(a=FAILED)
    models.sink.is_started = True
    with pytest.raises(ReplicaFailed):
        await answered(models, {"a": ["b"]})
    assert models.names == ["a"]


async def test_comments_are_no_part_of_an_answer() -> None:
    """A stream that has only said that somebody is there may still come from another model."""
    models = Models(a=FAILED)
    models.sink.is_started = models.exchange.is_event_stream = True
    assert await answered(models, {"a": ["b"]}) == ["a", "b"]
    watched = Models(a=FAILED)
    watched.sink.is_started = watched.exchange.is_event_stream = True
    watched.exchange.watch = asking(watched.exchange, "a").new_watch()
    assert await answered(watched, {"a": ["b"]}) == ["a", "b"]
    assert watched.exchange.watch is None
    begun = Models(a=FAILED)
    begun.sink.is_started = begun.exchange.is_event_stream = True
    begun.exchange.watch = asking(begun.exchange, "a").new_watch()
    begun.exchange.watch.feed(b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
    with pytest.raises(ReplicaFailed):
        await answered(begun, {"a": ["b"]})


async def test_a_route_that_was_asked_for_does_not_bind_the_fallback() -> None:
    """The other model is most likely on another one."""
    models = Models(a=FAILED)
    falling_back = FallingBack({"a": ["b"]}, {}, aliases={})
    asked = asking(models.exchange, "a", route="left")
    await falling_back.answer(models.exchange, asked, models.sink, first=models.first, other=models.other)
    assert models.asked == [("a", "left", False), ("b", None, True)]


def test_who_would_be_next_is_known_beforehand() -> None:
    """So that a replica's refusal is handed back instead of being passed on."""
    falling_back = FallingBack({"nick": ["b"]}, {"a": ["large"]}, aliases={"nick": "a"})
    assert falling_back.is_needed
    assert list(falling_back.others("a", FAILED)) == ["b"]
    assert list(falling_back.others("nick", TOO_LONG)) == ["large"]
    assert list(falling_back.others("b", FAILED)) == []
    assert list(falling_back.others("a", BAD)) == []
    assert list(falling_back.others(None, FAILED)) == []
    assert not FallingBack({}, {}, aliases={"nick": "a"}).is_needed
