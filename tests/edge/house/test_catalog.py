"""One list of models out of those of all replicas."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.recorded import recording
from vllm_gateway import codec
from vllm_gateway.edge.house.catalog import catalog, listing
from vllm_gateway.routing.table import Table
from vllm_gateway.upstream.pace import Pace


@dataclass
class Replica:
    """What a replica told of itself."""

    name: str
    models: dict[str, dict[str, Any]]
    route: str = "default"
    latency_s: float | None = 0.0123
    is_usable: bool = True
    pace: Pace = field(default_factory=Pace)


@dataclass
class Told:
    """A row of vLLM's own list, without what does not matter here."""

    id: str
    root: str = "org/base"
    max_model_len: int | None = 4096
    created: object = 1_700_000_000
    others: dict[str, Any] = field(default_factory=dict)


def serving(name: str, *rows: Told, **state: Any) -> Replica:  # noqa: ANN401 - any field of a replica
    """Return a replica that told these rows."""
    told = {
        row.id: {"id": row.id, "object": "model", "created": row.created, "root": row.root}
        | {"max_model_len": row.max_model_len}
        | row.others
        for row in rows
    }
    return Replica(name, told, **state)


def real(name: str) -> Replica:
    """Return a replica that told what a real vLLM told."""
    return Replica("real-1", {row["id"]: row for row in codec.loads(recording(name).body)["data"]})


def test_each_model_appears_once_with_all_who_serve_it() -> None:
    """Replicas of one model are its sources, in their order, with how long they took to answer."""
    rows = catalog(
        [
            serving("a-1", Told("tiny"), latency_s=0.0101),
            serving("a-2", Told("tiny"), Told("lora"), latency_s=None),
            serving("b-1", Told("embed"), latency_s=0.5),
        ],
        Table(),
    )
    assert [row["id"] for row in rows] == ["tiny", "lora", "embed"]
    assert rows[0]["sources"] == [{"source": "a-1", "latency_ms": 10.1}, {"source": "a-2", "latency_ms": 0.0}]
    assert [source["source"] for source in rows[1]["sources"]] == ["a-2"]


def test_a_replica_that_is_out_is_no_source() -> None:
    """Its models stay on the list, for they are known and may come back."""
    rows = catalog([serving("a-1", Told("tiny")), serving("a-2", Told("tiny"), is_usable=False)], Table())
    assert [source["source"] for source in rows[0]["sources"]] == ["a-1"]
    rows = catalog([serving("a-1", Told("tiny"), is_usable=False)], Table())
    assert [row["id"] for row in rows] == ["tiny"]
    assert rows[0]["sources"] == []


def test_the_load_is_that_of_all_usable_replicas_that_tell() -> None:
    """Nobody knows it where none does."""
    rows = catalog(
        [
            serving("a-1", Told("tiny"), pace=Pace(running=3, waiting=1)),
            serving("a-2", Told("tiny"), pace=Pace(running=4, waiting=0)),
            serving("a-3", Told("tiny"), pace=Pace(running=90, waiting=90), is_usable=False),
            serving("b-1", Told("tiny"), Told("other")),
        ],
        Table(),
    )
    assert [row["load"] for row in rows] == [{"running": 7, "waiting": 1}, None]


def test_what_a_replica_tells_is_kept() -> None:
    """`root`, which `vllm bench serve` reads, and whatever else vLLM may add."""
    rows = catalog([serving("a-1", Told("tiny", others={"permission": [{"id": "p"}], "parent": None}))], Table())
    assert rows[0]["root"] == "org/base"
    assert rows[0]["permission"] == [{"id": "p"}]
    assert "parent" in rows[0]


@pytest.mark.parametrize(
    ("lengths", "shown"),
    [((4096, 8192), 4096), ((8192, 4096), 4096), ((None, 8192), 8192), ((None, None), None)],
)
def test_the_shortest_context_counts(lengths: tuple[int | None, int | None], shown: int | None) -> None:
    """A prompt that fits there fits everywhere; a replica that does not tell is not counted."""
    replicas = [serving(f"a-{length}", Told("tiny", max_model_len=length)) for length in lengths]
    assert catalog(replicas, Table())[0]["max_model_len"] == shown


def test_an_alias_is_a_model_of_its_own_name() -> None:
    """It has the fields of what it means, and says so."""
    rows = catalog([serving("a-1", Told("tiny"))], Table(aliases={"mini": "tiny", "gone": "lost"}))
    assert [(row["id"], row["display_name"], row.get("alias_of")) for row in rows] == [
        ("tiny", "tiny", None),
        ("mini", "mini", "tiny"),
    ]
    assert rows[1]["root"] == "org/base"
    assert rows[1]["sources"] == rows[0]["sources"]


def test_an_alias_may_hide_a_model_of_its_name() -> None:
    """The row shows what would answer; while nothing would, there is no row."""
    replicas = [serving("a-1", Told("tiny"), Told("big", root="org/big"))]
    rows = {row["id"]: row for row in catalog(replicas, Table(aliases={"tiny": "big"}))}
    assert rows["tiny"]["root"] == "org/big"
    assert catalog([serving("a-1", Told("tiny"))], Table(aliases={"tiny": "lost"})) == []


def test_only_allowed_models_are_listed() -> None:
    """The list and the routes agree on who may have what."""
    replicas = [serving("a-1", Told("tiny"), Told("embed"))]
    assert [row["id"] for row in catalog(replicas, Table(allowed_models=("embed",)))] == ["embed"]


@pytest.mark.parametrize(
    ("created", "year"),
    [(1_700_000_000, 2023), (None, 1970), ("yesterday", 1970), (1_700_000_000_000, 1970), (-(10**30), 1970)],
)
def test_a_date_is_always_one(created: object, year: int) -> None:
    """Anthropic's clients parse `created_at`; a replica that counts otherwise must not break the list."""
    row = catalog([serving("a-1", Told("tiny", created=created))], Table())[0]
    assert datetime.fromisoformat(row["created_at"]).year == year


def test_the_list_is_that_of_openai_and_of_anthropic() -> None:
    """One body has the frame of both; with nothing to list it is still a list."""
    rows = catalog([serving("a-1", Told("tiny"), Told("lora"))], Table())
    body = listing(rows, for_codex=False)
    assert (body["object"], body["data"], body["has_more"]) == ("list", rows, False)
    assert (body["first_id"], body["last_id"]) == ("tiny", "lora")
    assert "models" not in body
    empty = listing([], for_codex=False)
    assert (empty["data"], empty["first_id"], empty["last_id"]) == ([], None, None)


def test_the_clients_read_the_list_of_a_real_vllm() -> None:
    """OpenAI's and Anthropic's own libraries find the model, and all that vLLM said is still there."""
    replica = real("models")
    body = codec.dumps(listing(catalog([replica], Table()), for_codex=False))
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=body)))
    with openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=http) as client:
        assert [model.id for model in client.models.list()] == ["tiny-llama"]
        found = client.models.list().data[0]
        assert (found.object, found.owned_by) == ("model", "vllm")
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=body)))
    with anthropic.Anthropic(api_key="k", base_url="http://gateway", http_client=http) as reader:
        model = reader.models.list().data[0]
        assert (model.id, model.type, model.display_name) == ("tiny-llama", "model", "tiny-llama")
        assert model.created_at.year >= 2023
    row = codec.loads(body)["data"][0]
    assert {name: row[name] for name in replica.models["tiny-llama"]} == replica.models["tiny-llama"]


def test_codex_gets_its_own_list_beside() -> None:
    """It demands every one of these fields, and reads the context from here."""
    rows = catalog([serving("a-1", Told("tiny"), Told("nameless", root="", max_model_len=None))], Table())
    body = listing(rows, for_codex=True)
    assert [model["slug"] for model in body["models"]] == ["tiny", "nameless"]
    assert [model["priority"] for model in body["models"]] == [1, 2]
    assert [model["context_window"] for model in body["models"]] == [4096, None]
    assert body["models"][0]["description"] == "Served by vLLM as org/base."
    assert body["models"][1]["description"] == "Served by vLLM as nameless."
    assert body["data"] == rows
