"""How faults are said."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.sim.faults import grammar
from vllm_gateway.sim.faults.grammar import STANDING, Fault, FaultInvalid, Kind, parse, parse_all

SECONDS = st.integers(0, 9999).map(lambda ms: f"{ms / 1000:g}").filter(lambda text: "e" not in text)
ARGUMENTS: dict[Kind, st.SearchStrategy[str | None]] = {
    Kind.CUT: st.sampled_from(["event", "chunk", "char"]),
    Kind.STALL: SECONDS | st.none(),
    Kind.STATUS: st.integers(400, 599).map(str) | st.tuples(st.integers(400, 599), SECONDS).map("{0[0]}:{0[1]}".format),
    Kind.SLOW: SECONDS,
    Kind.DEAF: SECONDS | st.none(),
    Kind.WEDGE: SECONDS | st.none(),
    Kind.REFUSE: SECONDS | st.none(),
    Kind.CRASH: SECONDS | st.none(),
    Kind.FLAP: st.tuples(SECONDS, SECONDS).map(":".join),
}
AT_A_TOKEN = {Kind.RESET, Kind.EOF, Kind.CUT, Kind.STALL, Kind.GARBAGE, Kind.ERROR, Kind.ABORT}


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """Any fault that can be said."""
    kind = draw(st.sampled_from(Kind))
    argument = draw(ARGUMENTS.get(kind, st.none()))
    token = draw(st.none() | st.integers(0, 999_999)) if kind in AT_A_TOKEN else None
    if kind in STANDING:
        return Fault(kind, argument, token)
    times = draw(st.none() | st.integers(1, 999_999))
    percent = draw(st.sampled_from([100.0, 1.0, 12.5, 99.0]))
    path = draw(st.none() | st.sampled_from(["/", "/health", "/v1/chat/completions", "/v1/models?x2"]))
    return Fault(kind, argument, token, times, percent, path)


@given(faults())
def test_what_is_said_of_a_fault_is_read_as_that_fault(fault: Fault) -> None:
    """Writing a fault down and reading it again gives the same fault."""
    assert parse(str(fault)) == fault


@given(st.lists(faults().filter(lambda fault: "," not in str(fault)), max_size=4))
def test_several_are_separated_by_commas(several: list[Fault]) -> None:
    """A list is read as its parts."""
    assert parse_all(", ".join(map(str, several))) == several


@given(st.text(alphabet="reset@x%/=:.0129 ", max_size=12))
def test_any_text_is_a_fault_or_is_refused_in_one_sentence(text: str) -> None:
    """There is no text that breaks the reader."""
    try:
        assert parse(str(parse(text))) == parse(text)
    except FaultInvalid as problem:
        assert str(problem).endswith((".", "?"))  # noqa: PT017 - both ways are right


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reset@7", Fault(Kind.RESET, token=7)),
        ("status=503x2", Fault(Kind.STATUS, "503", times=2)),
        ("status=429:2.5%25", Fault(Kind.STATUS, "429:2.5", percent=25)),
        ("cut=char@3x1", Fault(Kind.CUT, "char", 3, 1)),
        ("stall/health", Fault(Kind.STALL, path="/health")),
        ("flap=2:1", Fault(Kind.FLAP, "2:1")),
    ],
)
def test_the_examples_of_the_manual(text: str, fault: Fault) -> None:
    """What the module's text shows means what it says."""
    assert parse(text) == fault


def test_the_manual_knows_every_fault_and_shows_none_that_is_wrong() -> None:
    """Each kind has its line in the module's text and in the page, and each example can be read."""
    page = (Path(__file__).parents[3] / "docs" / "sim.md").read_text(encoding="utf-8")
    in_page = re.findall(r"^\| `([^`]+)` \|", page.partition("## Faults")[2].partition("\n## ")[0], flags=re.MULTILINE)
    in_module = re.findall(r"^    ([a-z]\S*)", grammar.__doc__ or "", flags=re.MULTILINE)
    for examples in (in_page, in_module):
        assert [parse(example).kind for example in examples] == list(Kind)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rest@7", "There is no fault 'rest'. Did you mean 'reset'?"),
        ("xyzzy", "There is no fault 'xyzzy'. Known are reset, eof, "),
        ("reset at 7", "'reset at 7' is no fault: it should look like reset@7, status=503x2 or stall/health."),
        ("cut@3", "'cut@3' lacks what comes after 'cut='."),
        ("status=200", "'status=200': 'status' cannot be '200'."),
        ("reset=3", "'reset=3': 'reset' cannot be '3'."),
        ("slow=1@3", "'slow=1@3': 'slow' does not happen at a token."),
        ("resetx0", "'resetx0' would never happen."),
        ("reset%0", "'reset%0' would never happen."),
        ("wedgex2", "'wedgex2': 'wedge' is about the whole sim, not about single requests."),
    ],
)
def test_a_mistake_is_told_in_one_sentence(text: str, sentence: str) -> None:
    """The reader says what is wrong and, where it can, what was meant."""
    with pytest.raises(FaultInvalid) as told:
        parse(text)
    assert str(told.value).startswith(sentence)
