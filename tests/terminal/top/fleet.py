"""A fleet that stands still, and an app that shows it: what is drawn of it is the same every time."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from typing_extensions import override

from vllm_gateway.clock import HandClock
from vllm_gateway.terminal.api import Client, Target
from vllm_gateway.terminal.themes import Themes
from vllm_gateway.terminal.themes.places import Places
from vllm_gateway.terminal.top.app import Top
from vllm_gateway.terminal.top.feed import Feed, NoFleet
from vllm_gateway.terminal.top.history import History
from vllm_gateway.terminal.top.picture import EventRow, Percentiles, Picture, ReplicaRow, RequestRow, ShareRow

WALL = 1_700_000_000.0
THEMES = Themes(Places(Path("/nowhere"), Path("/nowhere"), ()))
"""Ours only, whatever the user who runs the tests has."""
_STATES = ("in", "in", "in", "trying", "in", "out", "drained", "in", "asleep", "new")


def replica(number: int, **changes: Any) -> ReplicaRow:  # noqa: ANN401 - any member
    """Return one replica of a fleet; its figures follow from its number."""
    chance = random.Random(number)  # noqa: S311 - figures to look at
    state = _STATES[number % len(_STATES)]
    is_busy = state in {"in", "trying"}
    usual = ReplicaRow(
        name=f"tiny-{number}",
        route="tiny",
        url=f"http://10.0.0.{number}:8000",
        state=state,
        cause="stalled" if state == "out" else "failed" if state == "trying" else None,
        models=("tiny-model",),
        version="0.33.0",
        asked=chance.randrange(20) if is_busy else 0,
        running=chance.randrange(40) if is_busy else None,
        waiting=chance.choice((0, 0, 0, 3)) if is_busy else None,
        kv=chance.random() if is_busy else None,
        hits=chance.random() if is_busy else None,
        read_per_s=chance.random() * 9000 if is_busy else None,
        made_per_s=chance.random() * 2000 if is_busy else None,
        ttft=Percentiles(chance.random() / 4, chance.random() * 2 + 0.25) if is_busy else Percentiles(),
        itl=Percentiles(chance.random() / 50, chance.random() / 9 + 0.02) if is_busy else Percentiles(),
        requests=chance.randrange(500),
        failed=chance.choice((0, 0, 4)),
    )
    return replace(usual, **changes)


def picture(replicas: int = 8) -> Picture:
    """Return a busy fleet."""
    return Picture(
        replicas=tuple(replica(number) for number in range(1, replicas + 1)),
        models=(
            ShareRow("tiny-model", 812, 3, 301_000, 95_000, Percentiles(0.084, 0.61), Percentiles(0.011, 0.034)),
            ShareRow("large-model", 96, 0, 88_000, 12_400, Percentiles(0.31, 1.9), Percentiles(0.028, 0.071)),
        ),
        callers=(
            ShareRow("ann", 410, 1, 200_000, 61_000, Percentiles(0.08, 0.5), Percentiles(0.01, 0.03)),
            ShareRow("nightly", 390, 2, 150_000, 40_000, Percentiles(0.2, 1.8), Percentiles(0.02, 0.07)),
            ShareRow("", 108, 0, 39_000, 6_400, Percentiles(0.09, 0.4), Percentiles(0.01, 0.03)),
        ),
        requests=tuple(
            RequestRow(
                id=f"request-{number}",
                path="/v1/chat/completions",
                model="tiny-model" if number % 3 else "large-model",
                replica=f"tiny-{number}" if number else "",
                caller=("ann", "nightly", "")[number % 3],
                seconds=0.3 + number**2 * 1.7,
                attempts=1 + (number == 4),
                resumed=int(number == 5),
                tokens=number * 37 or None,
                is_stream=True,
            )
            for number in range(9)
        ),
        events=(
            EventRow("request-90", WALL - 4, "ok_resumed", 200, "tiny-model", "tiny-2", "ann", 8.2, 1, 1),
            EventRow("request-71", WALL - 31, "upstream_error", 502, "tiny-model", "tiny-5", "nightly", 0.9, 3, 0),
            EventRow("request-66", WALL - 60, "refused_limit", 429, "large-model", "", "nightly", 0.001, 0, 0),
            EventRow("request-12", WALL - 75, "ok_retried", 200, "tiny-model", "tiny-1", "", 1.4, 2, 0),
        ),
        all=ShareRow("", 908, 3, 389_000, 107_400, Percentiles(0.09, 0.7), Percentiles(0.012, 0.04)),
        waiting=2,
    )


def history(of: Picture, pictures: int = 200) -> History:
    """Return what was before: a day with its ups and downs."""
    kept, chance = History(), random.Random(7)  # noqa: S311 - figures to look at
    for moment in range(pictures):
        share = (0.55 + 0.4 * ((moment % 60) / 60)) * (0.85 + 0.15 * chance.random())
        rows = tuple(
            replace(row, read_per_s=(row.read_per_s or 0) * share, made_per_s=(row.made_per_s or 0) * share)
            for row in of.replicas
        )
        kept.take(replace(of, replicas=rows))
    return kept


class Still(Feed):
    """A gateway of which the same is told every time, or that cannot be reached."""

    def __init__(self, told: Picture | str) -> None:
        super().__init__(Client(Target.at("http://127.0.0.1:8081", "key")))
        self.told = told
        self.looks = 0

    @override
    async def look(self) -> Picture:
        self.looks += 1
        if isinstance(self.told, str):
            raise NoFleet(self.told)
        return self.told


@asynccontextmanager
async def shown(
    feed: Feed,
    *,
    size: tuple[int, int] = (100, 30),
    before: History | None = None,
    themes: Themes = THEMES,
    **wishes: Any,  # noqa: ANN401 - any wish
) -> "AsyncIterator[tuple[Top, Pilot[None]]]":
    """Run the app without a terminal; it has its first picture."""
    usual: dict[str, Any] = {"clock": HandClock(wall=WALL), "theme": "harbour", "every_s": 3600, "zone": UTC}
    app = Top(feed, themes=themes, **{**usual, **wishes})
    if before is not None:
        app._history = before
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        yield app, pilot
