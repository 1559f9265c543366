"""The application for everything that no replica answers, put together from its subjects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from vllm_gateway import __version__
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.edge.house.callers import admitting, unless
from vllm_gateway.edge.house.faults import answer_faults
from vllm_gateway.edge.house.first_shape import Entrance, first_shape_routes
from vllm_gateway.edge.house.health import State, health_routes
from vllm_gateway.edge.house.metrics import Scrape, metrics_route
from vllm_gateway.edge.house.models import model_routes
from vllm_gateway.edge.house.openapi import describe
from vllm_gateway.edge.house.responses import response_routes
from vllm_gateway.edge.house.sessions import session_routes
from vllm_gateway.edge.house.texts import Screen
from vllm_gateway.routing.table import Table
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.responses import Responses
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober


@dataclass(frozen=True, slots=True)
class View:
    """What the house's routes know of the settings; another one when those are read again."""

    table: Table
    screen: Screen
    entrance: Entrance
    is_embedded: bool
    are_metrics_public: bool


@dataclass(frozen=True, slots=True)
class Subjects:
    """What the house's routes tell of."""

    view: Callable[[], View]
    is_draining: Callable[[], bool]
    pool: Pool
    prober: Prober
    ledger: Ledger
    keys: Keys
    book: Book
    responses: Responses
    scrape: Scrape


def build_house(about: Subjects) -> FastAPI:
    """Return the application."""
    house = FastAPIOffline(
        title="vllm-gateway",
        version=__version__,
        description="One front door for one or many vLLM servers.",
        redirect_slashes=False,
        strict_content_type=False,  # a body that is not announced is taken as JSON, as on the other routes
    )
    admit, view = admitting(about.keys), about.view

    def screen(fields: dict[str, Any]) -> None:
        view().screen(fields)

    state = State(
        is_draining=about.is_draining,
        is_embedded=lambda: view().is_embedded,
        table=lambda: view().table,
        pool=about.pool,
        ledger=about.ledger,
    )
    house.include_router(model_routes(about.pool, about.prober, state.table, admit))
    house.include_router(health_routes(state))
    house.include_router(metrics_route(about.scrape, unless(admit, lambda: view().are_metrics_public)))
    house.include_router(session_routes(about.book, admit, screen))
    house.include_router(response_routes(about.responses, admit))
    house.include_router(first_shape_routes(about.book, lambda: view().entrance, screen))
    answer_faults(house)
    describe(house)
    return house
