"""The replicas that break: two alike, one with a larger context, and those that nobody disturbs."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from vllm_gateway.chaos.answer import Counted, read
from vllm_gateway.chaos.caller import Target, ask
from vllm_gateway.chaos.judging import Expected, Refusal
from vllm_gateway.sim import RunningSim, SimSettings, start
from vllm_gateway.sim.journal import RequestSeen

MODEL = "chaos"
SMALL_MODEL = "chaos-small"
"""The same replicas under another name, which may have a larger context to fall back on."""
LARGE_MODEL = "chaos-large"
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
WORK = frozenset({CHAT, COMPLETIONS})
CONTEXT_TOKENS = 1024
_LARGE_CONTEXT_TOKENS = 8192
_MARK = re.compile(rb"\(case [0-9a-z-]+\)")
_TTFT_MS, _ITL_MS = 15, 6
_PATIENCE_S = 20.0


class Trap:
    """Springs once for each marked request, at whichever replica is asked first."""

    def __init__(self) -> None:
        self._set: dict[bytes, str] = {}

    def set(self, mark: str, fault: str) -> None:
        """Let the first attempt of the request that carries `mark` meet `fault`."""
        self._set[mark.encode()] = fault

    def __call__(self, body: bytes) -> list[str]:
        """Return what goes wrong with a request."""
        found = _MARK.search(body)
        fault = self._set.pop(found[0], None) if found else None
        return [] if fault is None else [fault]


@dataclass(slots=True)
class Fleet:
    """The replicas behind one gateway, and what is right."""

    replicas: list[RunningSim]
    large: RunningSim | None
    calm: "Calm"
    trap: Trap = field(default_factory=Trap)

    @property
    def members(self) -> list[RunningSim]:
        """All that the gateway may ask."""
        return self.replicas + ([self.large] if self.large else [])

    def seen(self) -> Iterator[RequestSeen]:
        """Yield the attempts that reached a replica."""
        for sim in self.members:
            yield from (seen for seen in sim.log.requests if seen.target in WORK)

    def attempts(self) -> int:
        """Count them."""
        return sum(1 for _ in self.seen())

    async def rest(self) -> None:
        """Let everything go well again, and forget what was seen."""
        for sim in self.members:
            await sim.faults.clear()
            sim.log.clear()

    async def close(self) -> None:
        """Stop the replicas."""
        for sim in self.members:
            await sim.close()


class Calm:
    """Replicas that nobody disturbs: they say what is right. Their answers are kept, because equal questions repeat."""

    def __init__(self, small: RunningSim, large: RunningSim) -> None:
        self._small = small
        self._large = large
        self._known: dict[tuple[str, str, int], Expected] = {}

    async def expected(self, path: str, body: dict[str, Any]) -> Expected:
        """Return what is right for a request."""
        prompt = str(body.get("prompt") or body["messages"])
        place = (body["model"], path + prompt, body["max_tokens"])
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = await self._ask(path, body)
        is_stream = bool(body.get("stream"))
        return Expected(
            known.text,
            known.finish,
            known.usage,
            is_stream=is_stream,
            is_chat=path == CHAT,
            asks_usage=not is_stream or "stream_options" in body,
        )

    async def refusal(self, path: str, body: dict[str, Any], fault: str | None = None) -> Refusal:
        """Return the error that a request is refused with, for its own sake or because of `fault`."""
        name = body["model"] if fault is None else f"{body['model']}!{fault}"
        heard = await ask(_target(self._small), path, {**body, "model": name}, patience_s=_PATIENCE_S)
        return Refusal(heard.status or 0, bytes(heard.body))

    async def _ask(self, path: str, body: dict[str, Any]) -> Expected:
        plain = {key: value for key, value in body.items() if key not in {"stream", "stream_options"}}
        sim = self._large if body["model"] == LARGE_MODEL else self._small
        answer = read(await ask(_target(sim), path, plain, patience_s=_PATIENCE_S), is_stream=False)
        if not answer.usages:
            raise RuntimeError(f"The undisturbed replica answers {answer.status}: {answer.body[:200]!r}")
        return Expected(answer.text, answer.finishes[0], Counted(*answer.usages[0]))

    async def close(self) -> None:
        """Stop them."""
        await self._small.close()
        await self._large.close()


def _target(sim: RunningSim) -> Target:
    return Target(sim.host, sim.port)


def _settings(**changes: Any) -> SimSettings:  # noqa: ANN401 - any setting
    chosen: dict[str, Any] = {
        "models": (MODEL, SMALL_MODEL),
        "embedding_models": (),
        "max_model_len": CONTEXT_TOKENS,
        "ttft_ms": _TTFT_MS,
        "ttft_ms_per_1k": 0,
        "itl_ms": _ITL_MS,
        **changes,
    }
    return SimSettings(**chosen)


def _large(**changes: Any) -> SimSettings:  # noqa: ANN401 - any setting
    return _settings(models=(LARGE_MODEL,), max_model_len=_LARGE_CONTEXT_TOKENS, **changes)


@asynccontextmanager
async def calm() -> AsyncIterator[Calm]:
    """Run the replicas that nobody disturbs."""
    quick = {"ttft_ms": 0, "itl_ms": 0}
    small = await start(_settings(**quick))
    undisturbed = Calm(small, await start(_large(**quick)))
    try:
        yield undisturbed
    finally:
        await undisturbed.close()


@asynccontextmanager
async def fleet(undisturbed: Calm, ports: tuple[int, ...] = (0, 0, 0)) -> AsyncIterator[Fleet]:
    """Run two replicas, and on a third port one with a larger context; port 0 takes a free one."""
    async with AsyncExitStack() as stack:
        sims = []
        for at, port in enumerate(ports):
            sims.append(await start(_settings() if at < 2 else _large(), port=port))  # noqa: PLR2004 - two alike
            stack.push_async_callback(sims[-1].close)
        made = Fleet(sims[:2], sims[2] if len(sims) > 2 else None, undisturbed)  # noqa: PLR2004 - two alike
        for sim in made.members:
            sim.faults.trap = made.trap
        yield made
