"""`vllm-gateway chaos`."""

import pytest

from tests.cli.conftest import Run
from vllm_gateway.chaos import Wishes


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> list[Wishes]:
    """Note what would be played, and play nothing."""
    found: list[Wishes] = []

    def run_instead(each: Wishes) -> int:
        found.append(each)
        return 0

    monkeypatch.setattr("vllm_gateway.chaos.run", run_instead)
    return found


def test_each_flag_arrives(run: Run, wishes: list[Wishes]) -> None:
    """What is given on the command line is what is played; nothing given is everything before our own gateway."""
    assert run("chaos")[0] == 0
    flags = "--against http://a:1 --replica-ports 9001,9002,9003 --api-key k --only cut --only stall --json x --quick"
    assert run("chaos", *flags.split())[0] == 0
    assert run("chaos", "--json", "-")[0] == 0
    assert wishes == [
        Wishes(),
        Wishes(("cut", "stall"), "http://a:1", (9001, 9002, 9003), "k", "x", quick=True),
        Wishes(json="-"),
    ]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--only cuts", "There is no scenario 'cuts'"),
        ("--against http://a:1", "--against and --replica-ports belong together."),
        ("--replica-ports 1,2", "--against and --replica-ports belong together."),
        ("--against ftp://a --replica-ports 1,2", "'ftp://a' is no address of a gateway"),
        ("--against a:1 --replica-ports 1", "it takes two or three different ports"),
        ("--against a:1 --replica-ports 1,1", "it takes two or three different ports"),
        ("--against a:1 --replica-ports 1,x", "it takes two or three different ports"),
        ("--against a:1 --replica-ports 1,70000", "it takes two or three different ports"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, wishes: list[Wishes], flags: str, sentence: str) -> None:
    """Names, addresses and ports that cannot be are refused before anything starts."""
    code, out, err = run("chaos", *flags.split())
    assert (code, out, wishes) == (2, "", [])
    assert sentence in err


def test_the_list_says_what_is_tried(run: Run) -> None:
    """Scenarios and verdicts are explained, and nothing is started."""
    code, out, _ = run("chaos", "--list")
    assert code == 0
    assert "stall: stream stall" in out
    assert "pass: the right and whole answer" in out
