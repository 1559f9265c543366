"""Stop strings across a cut."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.dialects.recovery.stopping import StopStrings
from vllm_gateway.sim.engine.detokenize import StopWatch

TOKENS = st.lists(st.text("abü", max_size=3), min_size=1, max_size=12)
STOPS = st.lists(st.text("abü", min_size=1, max_size=4), max_size=3)


def watched(tokens: list[str], stops: list[str], *, is_included: bool) -> tuple[list[str], str | None]:
    """Return what a replica sends for each token up to the end, and the stop string that ended it."""
    watch = StopWatch(stops, include=is_included)
    sent: list[str] = []
    for at, token in enumerate(tokens, 1):
        found = watch.feed(token)
        sent.append(watch.take(is_last=found is not None or at == len(tokens)))
        if found is not None:
            return sent, found
    return sent, None


@given(TOKENS, STOPS, st.booleans(), st.data())
def test_a_cut_changes_nothing(tokens: list[str], stops: list[str], is_included: bool, data: st.DataObject) -> None:
    """What one replica told and what comes of the rest are what one replica alone would have sent."""
    sent, found = watched(tokens, stops, is_included=is_included)
    cut = data.draw(st.integers(0, len(sent) - 1))
    told = "".join(sent[:cut])
    held = "".join(tokens[:cut])[len(told) :]
    again = StopStrings(stops, is_included=is_included, told=told, held=held)
    for at, token in enumerate(tokens[cut:], cut + 1):
        told += again.take(token, is_last=at == len(tokens))
    assert told == "".join(sent)
    assert again.found == found


def test_nothing_leaves_behind_a_stop_string() -> None:
    """What a replica writes behind a stop string that it does not know of is left out."""
    stops = StopStrings(["User:"], told="Yes.\n", held="Us")
    assert stops.take("er: and", is_last=False) == ""
    assert stops.found == "User:"
    assert stops.take(" more", is_last=True) == ""


def test_how_much_is_held_back() -> None:
    """As much is held back as may begin the longest stop string, and nothing where that belongs to the text."""
    assert StopStrings([]).hold == 0
    assert StopStrings(["ab", "abc"]).hold == 2
    assert StopStrings(["ab", "abc"], is_included=True).hold == 0
