"""The application for everything that no replica answers, put together from its subjects."""

from dataclasses import dataclass

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from vllm_gateway import __version__
from vllm_gateway.admission.keys.ring import Keys
from vllm_gateway.edge.house.callers import admitting
from vllm_gateway.edge.house.faults import answer_faults
from vllm_gateway.edge.house.first_shape import Entrance, first_shape_routes
from vllm_gateway.edge.house.health import health_routes
from vllm_gateway.edge.house.models import model_routes
from vllm_gateway.edge.house.openapi import describe
from vllm_gateway.edge.house.responses import response_routes
from vllm_gateway.edge.house.sessions import session_routes
from vllm_gateway.edge.house.texts import allow_all
from vllm_gateway.pipeline.screening import Screening
from vllm_gateway.pipeline.story import Pipeline
from vllm_gateway.routing.table import Table
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.responses import Responses
from vllm_gateway.telemetry.ledger import Ledger
from vllm_gateway.upstream.pool import Pool
from vllm_gateway.upstream.probe import Prober


@dataclass(frozen=True, slots=True)
class Subjects:
    """What the house's routes tell of."""

    pipeline: Pipeline
    pool: Pool
    prober: Prober
    table: Table
    ledger: Ledger
    keys: Keys
    book: Book
    screening: Screening | None
    responses: Responses
    upstream_keys: list[str]
    """Keys of the replicas; they begin sessions of the first shape."""
    is_embedded: bool


def build_house(about: Subjects) -> FastAPI:
    """Return the application."""
    house = FastAPIOffline(
        title="vllm-gateway",
        version=__version__,
        description="One front door for one or many vLLM servers.",
        redirect_slashes=False,
        strict_content_type=False,  # a body that is not announced is taken as JSON, as on the other routes
    )
    admit = admitting(about.keys)
    screen = about.screening.check_fields if about.screening is not None else allow_all
    house.include_router(model_routes(about.pool, about.prober, about.table, admit))
    house.include_router(
        health_routes(about.pipeline, about.pool, about.table, about.ledger, is_embedded=about.is_embedded)
    )
    house.include_router(session_routes(about.book, admit, screen))
    house.include_router(response_routes(about.responses, admit))
    house.include_router(first_shape_routes(about.book, Entrance(about.keys, about.upstream_keys), screen))
    answer_faults(house)
    describe(house)
    return house
