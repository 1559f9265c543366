"""Who is next."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.admission.fair import WEIGHTS, FairQueue
from vllm_gateway.callers import Priority


def anyone(_: object) -> bool:
    """Let every ticket through."""
    return True


def serve(queue: FairQueue[tuple[str, int]], *, tokens: float = 1.0, weights: dict[str, float] | None = None) -> str:
    """Let the next one go, charge it, and return whose it was."""
    ticket = queue.pop(anyone)
    assert ticket is not None
    weight = (weights or {}).get(ticket[0], 1.0)
    queue.begin(ticket[0], tokens, weight)
    queue.end(ticket[0], None, weight)
    return ticket[0]


def test_a_light_caller_goes_before_a_heavy_ones_backlog() -> None:
    """Who has a hundred waiting and who has one take turns."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number in range(100):
        queue.join("heavy", (("heavy"), number))
    assert [serve(queue) for _ in range(3)] == ["heavy"] * 3
    queue.join("light", ("light", 0))
    queue.join("light", ("light", 1))
    assert sorted(serve(queue) for _ in range(4)) == ["heavy", "heavy", "light", "light"]


def test_nobody_saves_up_turns() -> None:
    """Who was away does not get all the turns that it missed."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number in range(50):
        queue.join("busy", ("busy", number))
    for _ in range(20):
        serve(queue, tokens=100)
    for number in range(20):
        queue.join("back", ("back", number))
    assert Counter(serve(queue, tokens=100) for _ in range(20)) == {"busy": 10, "back": 10}


def test_a_wrong_guess_gives_nobody_a_head_start() -> None:
    """Who comes while another's requests are expected to cost far too much is not put behind for good."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for _ in range(8):
        queue.begin("early", 1000, 1.0)
    for number in range(50):
        queue.join("early", ("early", number))
        queue.join("late", ("late", number))
    for _ in range(8):
        queue.end("early", 1, 1.0)
    went = Counter(serve(queue, tokens=1) for _ in range(60))
    assert went["late"] - went["early"] in {7, 8, 9}


def test_tokens_count_and_not_requests() -> None:
    """Who asks for answers ten times as long goes a tenth as often."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number in range(200):
        queue.join("long", ("long", number))
        queue.join("short", ("short", number))
    went: Counter[str] = Counter()
    for _ in range(110):
        ticket = queue.pop(anyone)
        assert ticket is not None
        queue.begin(ticket[0], 1.0, 1.0)
        queue.end(ticket[0], 1000.0 if ticket[0] == "long" else 100.0, 1.0)
        went[ticket[0]] += 1
    assert went == {"long": 10, "short": 100}


def test_classes_share_by_weight() -> None:
    """Sixteen to four to one, while all of them wait; the least is not starved."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    weights = {each.value: WEIGHTS[each] for each in Priority}
    for number in range(300):
        for name in weights:
            queue.join(name, (name, number))
    went = Counter(serve(queue, weights=weights) for _ in range(210))
    assert went == {"interactive": 160, "standard": 40, "batch": 10}


def test_who_had_its_turn_goes_first() -> None:
    """A request whose replica failed does not queue up again."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    queue.join("a", ("a", 0))
    queue.join_front(("b", 0))
    assert [serve(queue), serve(queue)] == ["b", "a"]


def test_only_what_fits_goes() -> None:
    """A ticket for other replicas stays, and holds up nobody behind it."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    queue.join("a", ("a", 0))
    queue.join("a", ("a", 1))
    assert queue.pop(lambda ticket: ticket[1] == 1) == ("a", 1)
    assert queue.pop(lambda ticket: ticket[1] == 1) is None
    assert (len(queue), list(queue)) == (1, [("a", 0)])


def test_who_leaves_is_gone() -> None:
    """Leaving twice changes nothing."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    queue.join("a", ("a", 0))
    queue.join_front(("b", 0))
    for ticket in (("a", 0), ("b", 0), ("a", 0)):
        queue.leave(ticket[0], ticket)
    assert (len(queue), queue.pop(anyone)) == (0, None)


def test_strangers_are_not_remembered_for_ever() -> None:
    """Who neither waits nor runs is forgotten when there are very many."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number in range(25_000):
        queue.begin(f"caller-{number}", 1.0, 1.0)
        queue.end(f"caller-{number}", None, 1.0)
    assert len(queue._served) <= 10_001


Steps = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50), st.booleans()), max_size=80)


@given(Steps)
def test_everybody_goes_once_and_in_their_own_order(steps: list[tuple[str, int, bool]]) -> None:
    """Whatever comes and goes, each ticket is served once, and a caller's own tickets in the order they came."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    went: list[tuple[str, int]] = []
    for number, (caller, tokens, is_pop) in enumerate(steps):
        queue.join(caller, (caller, number))
        if is_pop and (ticket := queue.pop(anyone)) is not None:
            queue.begin(ticket[0], tokens, 1.0)
            went.append(ticket)
    while (ticket := queue.pop(anyone)) is not None:
        went.append(ticket)
    assert sorted(went, key=lambda each: each[1]) == [(caller, number) for number, (caller, _, _) in enumerate(steps)]
    for caller in "abc":
        own = [number for name, number in went if name == caller]
        assert own == sorted(own)


@pytest.mark.parametrize("callers", [2, 5, 17])
def test_equal_callers_get_equal_parts(callers: int) -> None:
    """Over time nobody is more than one request ahead."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number in range(40):
        for caller in range(callers):
            queue.join(str(caller), (str(caller), number))
    went = Counter(serve(queue, tokens=7) for _ in range(callers * 20))
    assert max(went.values()) - min(went.values()) <= 1
