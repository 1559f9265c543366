"""From the name of a model to the replicas that can answer for it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.errors import FieldInvalid, ModelAmbiguous, ModelForbidden, ModelUnknown, ReplicasUnusable
from vllm_gateway.routing.table import Table


@dataclass(frozen=True)
class Server:
    """What a replica says of itself."""

    route: str
    models: tuple[str, ...]


TINY_1 = Server("tiny", ("tiny",))
TINY_2 = Server("tiny", ("tiny", "tiny-lora"))
EMBED = Server("embed", ("embed",))
SILENT = Server("tiny", ())
ALL = [TINY_1, TINY_2, EMBED]


@pytest.mark.parametrize(
    ("table", "asked", "model", "serving"),
    [
        (Table(), "tiny", "tiny", [TINY_1, TINY_2]),
        (Table(), "tiny-lora", "tiny-lora", [TINY_2]),
        (Table(), "embed", "embed", [EMBED]),
        (Table(aliases={"gpt-4o-mini": "tiny"}), "gpt-4o-mini", "tiny", [TINY_1, TINY_2]),
        (Table(aliases={"tiny": "embed"}), "tiny", "embed", [EMBED]),
        (Table(default_model="embed"), None, "embed", [EMBED]),
        (Table(default_model="chat", aliases={"chat": "tiny-lora"}), None, "tiny-lora", [TINY_2]),
        (Table(default_model="embed"), "tiny-lora", "tiny-lora", [TINY_2]),
        (Table(default_route="embed"), None, "embed", [EMBED]),
        (Table(default_model="tiny", default_route="embed"), None, "tiny", [TINY_1, TINY_2]),
        (Table(allowed_models=("embed",)), "embed", "embed", [EMBED]),
        (Table(aliases={"e": "embed"}, allowed_models=("embed",)), "e", "embed", [EMBED]),
        (Table(aliases={"e": "embed"}, allowed_models=("e",)), "e", "embed", [EMBED]),
    ],
)
def test_a_name_finds_its_replicas(table: Table, asked: str | None, model: str, serving: list[Server]) -> None:
    """Models by id, aliases by what they mean, no name by what can be taken for granted."""
    assert table.find(asked, ALL) == (model, serving)


def test_the_only_model_needs_no_name() -> None:
    """With one model behind the door there is nothing to mistake; a replica that is silent changes nothing."""
    assert Table().find(None, [TINY_1, SILENT]) == ("tiny", [TINY_1])


@pytest.mark.parametrize("table", [Table(), Table(default_route="tiny"), Table(default_route="nowhere")])
def test_without_a_name_and_without_a_default_the_caller_must_choose(table: Table) -> None:
    """Among several models none is taken at random."""
    with pytest.raises(FieldInvalid, match="Available: tiny, tiny-lora, embed") as refusal:
        table.find(None, ALL)
    assert refusal.value.param == "model"


def test_an_unknown_model_is_refused_with_the_known_names() -> None:
    """The caller sees what to ask for instead, aliases included."""
    with pytest.raises(ModelUnknown) as refusal:
        Table(aliases={"mini": "tiny", "gone": "lost"}).find("nope", ALL)
    assert refusal.value.message == (
        "No model server offers the model 'nope'. Available: tiny, tiny-lora, embed, mini."
    )
    assert refusal.value.param == "model"


def test_an_alias_of_a_model_that_is_not_served_is_unknown() -> None:
    """It says so by the name that the caller used."""
    with pytest.raises(ModelUnknown, match="'gone'"):
        Table(aliases={"gone": "lost"}).find("gone", ALL)


@pytest.mark.parametrize("asked", ["tiny", "nope", "t", None])
def test_only_allowed_models_may_be_asked_for(asked: str | None) -> None:
    """Whether the model exists is not told; the names that are shown are the allowed ones."""
    table = Table(aliases={"t": "tiny"}, default_model="tiny-lora", allowed_models=("embed",))
    with pytest.raises(ModelForbidden, match=r"may not be used here\. Available: embed\.$") as refusal:
        table.find(asked, ALL)
    assert (refusal.value.status, refusal.value.param) == (403, "model")


def test_nothing_may_be_used_where_nothing_allowed_is_served() -> None:
    """The refusal does not pretend that there were something else."""
    with pytest.raises(ModelForbidden, match=r"No other model may be used\.$"):
        Table(allowed_models=("lost",)).find("tiny", ALL)


@pytest.mark.parametrize("asked", [None, "tiny"])
@pytest.mark.parametrize("servers", [[], [SILENT, SILENT]])
def test_before_any_replica_has_spoken_nobody_is_to_blame(asked: str | None, servers: list[Server]) -> None:
    """What may be a perfectly good name is not refused as unknown; trying again will tell."""
    with pytest.raises(ReplicasUnusable) as failure:
        Table().find(asked, servers)
    assert failure.value.status == 503
    assert failure.value.retry_after_s


def test_an_alias_hides_a_model_of_its_name() -> None:
    """While what the alias means is not served the name means nothing, and is not shown."""
    table = Table(aliases={"tiny": "lost"})
    assert table.names([TINY_2]) == ["tiny-lora"]
    with pytest.raises(ModelUnknown, match=r"'tiny'\. Available: tiny-lora\.$"):
        table.find("tiny", [TINY_2])


def test_a_long_list_is_cut() -> None:
    """The sentence stays readable with a thousand adapters."""
    server = Server("many", tuple(f"adapter-{number}" for number in range(1000)))
    with pytest.raises(ModelUnknown, match=r"adapter-0, .*adapter-19 and 980 more\.$") as refusal:
        Table().find("nope", [server])
    assert len(refusal.value.message) < 500


@given(st.text(min_size=1) | st.text(min_size=200))
def test_any_name_can_be_quoted_in_a_refusal(name: str) -> None:
    """A hostile name makes a sentence neither long nor more than one printable line."""
    with pytest.raises(ModelUnknown) as refusal:
        Table().find("?" + name, ALL)
    assert refusal.value.message.isprintable()
    assert len(refusal.value.message) < 1200


def test_names_are_those_that_may_be_asked_for() -> None:
    """Each once, in order of appearance: models, then aliases of what is served; of these, the allowed."""
    aliases = {"mini": "tiny", "gone": "lost", "tiny": "embed"}
    assert Table(aliases).names(ALL) == ["tiny", "tiny-lora", "embed", "mini"]
    assert Table(aliases, allowed_models=("tiny",)).names(ALL) == ["tiny", "mini"]
    assert Table(aliases, allowed_models=("mini",)).names(ALL) == ["mini"]
    assert Table(aliases).names([SILENT]) == []


@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", "y", "z"])),
    st.sets(st.sampled_from(["a", "b", "x", "y"])),
    st.lists(st.builds(Server, st.just("r"), st.sets(st.sampled_from(["x", "y", "a"])).map(tuple)), max_size=3),
)
def test_every_name_that_is_shown_can_be_used(
    aliases: dict[str, str], allowed: set[str], servers: list[Server]
) -> None:
    """A list of models that a caller may not ask for would be a trap."""
    table = Table(aliases, allowed_models=allowed)
    for name in table.names(servers):
        model, serving = table.find(name, servers)
        assert serving
        assert all(model in server.models for server in serving)


def test_a_route_leaves_only_its_own_replicas() -> None:
    """In any case of letters; a model that is served elsewhere only is unknown there."""
    assert Table().find("tiny", ALL, route="TINY") == ("tiny", [TINY_1, TINY_2])
    assert Table().find(None, ALL, route="embed") == ("embed", [EMBED])
    assert Table(default_model="tiny").find(None, ALL, route="embed") == ("embed", [EMBED])
    with pytest.raises(ModelUnknown, match="Available: tiny, tiny-lora"):
        Table().find("embed", ALL, route="tiny")


def test_an_unknown_route_is_refused_with_the_known_ones() -> None:
    """By the name of the field that picked it."""
    with pytest.raises(ModelUnknown, match=r"no route 'nowhere'\. Routes: embed, tiny\.") as refusal:
        Table().find("tiny", ALL, route="nowhere")
    assert refusal.value.param == "modelKey"


def test_a_model_on_several_routes_is_shared_or_has_to_be_picked() -> None:
    """As the settings say; the name of a route always decides."""
    other = Server("other", ("tiny",))
    servers = [*ALL, other]
    assert Table().find("tiny", servers)[1] == [TINY_1, TINY_2, other]
    strict = Table(rejects_ambiguous=True)
    assert strict.find("tiny", servers, route="other") == ("tiny", [other])
    with pytest.raises(ModelAmbiguous, match="Pick one with 'modelKey': other, tiny") as refusal:
        strict.find("tiny", servers)
    assert (refusal.value.status, refusal.value.code) == (404, "model_not_found")


def test_the_default_route_answers_who_names_nothing() -> None:
    """Even where others serve the same model; the default model counts first when it is elsewhere."""
    other = Server("other", ("tiny",))
    assert Table(default_route="other").find(None, [*ALL, other]) == ("tiny", [other])
    assert Table(default_route="tiny", default_model="embed").find(None, ALL) == ("embed", [EMBED])


@pytest.mark.parametrize(
    ("table", "route", "found"),
    [
        (Table(), None, [("tiny", None), ("tiny-lora", None), ("embed", None)]),
        (Table(default_model="embed"), None, [("embed", None), ("tiny", None), ("tiny-lora", None)]),
        (Table(), "Embed", [("embed", "Embed")]),
        (
            Table(default_route="embed"),
            None,
            [("embed", "embed"), ("tiny", None), ("tiny-lora", None), ("embed", None)],
        ),
        (Table(allowed_models=("embed",)), None, [("embed", None)]),
    ],
)
def test_all_models_that_may_be_meant_are_told_the_likeliest_first(
    table: Table, route: str | None, found: list[tuple[str, str | None]]
) -> None:
    """For routes that take any model: the default one, those of the default route, then the others."""
    assert table.find_all(ALL, route=route) == found


def test_a_key_may_have_a_list_of_its_own() -> None:
    """A caller's list holds beside the gateway's; what is on one of them only is not to be had, nor named."""
    table = Table(aliases={"t": "tiny"}, allowed_models=("t", "embed")).within(("tiny", "tiny-lora"))
    assert table.find("t", ALL) == ("tiny", [TINY_1, TINY_2])
    assert table.names(ALL) == ["t"]
    for name in ("embed", "tiny-lora"):
        with pytest.raises(ModelForbidden, match=r"Available: t\.$"):
            table.find(name, ALL)


def test_a_key_without_a_list_may_ask_for_all() -> None:
    """An empty list narrows nothing."""
    table = Table(allowed_models=("embed",))
    assert table.within(()) is table
