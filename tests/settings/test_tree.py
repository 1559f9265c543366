"""The tree that sources are gathered in."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.settings.places import Place
from vllm_gateway.settings.tree import Tree

_places = st.lists(st.sampled_from(["a", "b", 0, 1, 2]), min_size=1, max_size=4).map(lambda keys: ("top", *keys))


def test_values_nest_by_place() -> None:
    """Keys make mappings, numbers make lists."""
    tree = Tree()
    assert tree.put(("upstreams", 0, "url"), "u", "file")
    assert tree.put(("upstreams", 1, "url"), "v", "file")
    assert tree.values == {"upstreams": [{"url": "u"}, {"url": "v"}]}


def test_a_whole_replaces_its_parts_and_their_origins() -> None:
    """A later value for a list leaves nothing of the earlier one."""
    tree = Tree()
    tree.put(("upstreams", 0, "url"), "u", "file")
    tree.put(("upstreams",), [], "flag")
    assert tree.values == {"upstreams": []}
    assert tree.origin(("upstreams", 0, "url")) == "flag"


def test_a_list_cannot_have_gaps() -> None:
    """Entry 2 of an empty list has no place, and nothing below it either."""
    tree = Tree()
    assert not tree.put(("list", 2), "x", "env")
    assert not tree.put(("list", 1, "key"), "x", "env")
    assert not tree.has(("list", 0))


def test_origin_of_what_is_missing_is_that_of_its_neighbour() -> None:
    """A problem with an absent key points at the entry that lacks it."""
    tree = Tree()
    tree.put(("upstreams", 0, "url"), "u", "line 2")
    tree.put(("upstreams", 1, "route"), "r", "line 5")
    assert tree.origin(("upstreams", 1, "url")) == "line 5"
    assert tree.origin(("port",)) == "default"


def test_dropping_a_missing_key_drops_what_lacks_it() -> None:
    """An entry without its required key goes as a whole; an unknown place changes nothing."""
    tree = Tree()
    tree.put(("upstreams", 0, "route"), "r", "file")
    tree.put(("port",), 1, "file")
    tree.drop(("upstreams", 0, "url"))
    tree.drop(("nothing", "here"))
    assert tree.values == {"upstreams": [], "port": 1}


@given(st.lists(st.tuples(_places, st.integers()), max_size=12))
def test_the_last_value_of_a_place_is_there(puts: list[tuple[Place, int]]) -> None:
    """Whatever was put before, a value that was taken is found, and its origin is its own."""
    tree = Tree()
    for number, (place, value) in enumerate(puts):
        if tree.put(place, value, f"source {number}"):
            assert tree.has(place)
            assert tree.origin(place) == f"source {number}"
            tree.drop(place)
            assert not tree.has(place) or isinstance(place[-1], int)
            assert tree.put(place, value, f"source {number}")
