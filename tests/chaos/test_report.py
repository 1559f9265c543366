"""What is printed."""

from vllm_gateway.chaos.judging import PASSED, Grade, Verdict
from vllm_gateway.chaos.leaving import Leaving
from vllm_gateway.chaos.playing import Played
from vllm_gateway.chaos.report import Report, as_json, listing, percentile, reasons, table
from vllm_gateway.chaos.scenarios import SCENARIOS

BY_NAME = {each.name: each for each in SCENARIOS}
GOOD = Played(BY_NAME["overload"], [PASSED] * 10, asked=10, attempts=12, met=2, silences_s=[0.2, 0.1])
SAFE = Verdict(Grade.SAFE, "an honest error event")
BAD = Played(BY_NAME["cut"], [PASSED, SAFE, SAFE, Verdict(Grade.FAIL, "wrong text")], asked=4, attempts=4, met=3)
REPORT = Report("some gateway", (GOOD, BAD), Leaving(4, (0.001, 0.002, 0.003)), 61.2)


def test_the_table_tells_verdicts_reasons_and_figures() -> None:
    """Each scenario has a row, what did not pass its reasons, and the figures stand below."""
    lines = table(REPORT).splitlines()
    assert lines[0] == "some gateway, 61 s"
    row = next(line for line in lines if "overload" in line)
    assert " ".join(row.split()) == "overload lasting 503 on one replica pass 10/10 1.20 200..200 ms"
    at = next(at for at, line in enumerate(lines) if "stream cut" in line)
    assert lines[at].split()[-4:] == ["fail", "1/4", "1.00", "-"]
    assert [line.strip() for line in lines[at + 1 : at + 3]] == ["fail 1x: wrong text", f"safe 2x: {SAFE.reason}"]
    assert lines[-4:] == [
        "1 of 2 scenarios pass (1 pass, 0 partial, 0 safe, 1 fail).",
        "Attempts per request: 1.14 over all.",
        "Attempts per request while one replica fails: 1.20 (wanted: 1.2).",
        "Callers who leave: the replica's connection closes after 2.0 ms (p50), 3.0 ms (p99); 3 of 4 closed.",
    ]


def test_the_json_tells_the_same() -> None:
    """Programs find verdicts, reasons and figures by name."""
    told = as_json(REPORT)
    assert (told["passed"], told["attempts_per_request"]) == (1, 1.143)
    good, bad = told["scenarios"]
    assert (good["verdict"], good["right"], good["faults_met"], good["reasons"]) == ("pass", 10, 2, [])
    assert good["silence_ms"] == {"count": 2, "p50": 200.0, "p99": 200.0, "max": 200.0}
    assert (bad["verdict"], bad["reasons"]) == ("fail", ["fail 1x: wrong text", "safe 2x: an honest error event"])
    assert told["upstream_close_ms"] == {"count": 3, "p50": 2.0, "p99": 3.0, "max": 3.0}
    assert as_json(Report("g", (), None, 0))["upstream_close_ms"] is None


def test_all_have_to_pass() -> None:
    """One scenario that is not passed, or none at all, is no success."""
    assert Report("g", (GOOD,), None, 1).is_passed
    assert not REPORT.is_passed
    assert not Report("g", (), None, 1).is_passed


def test_a_gateway_that_never_answered_is_told() -> None:
    """A scenario that could not begin says why, and counts nothing."""
    never = Played(BY_NAME["cut"], is_settled=False)
    assert reasons(never) == ["the gateway does not answer although nothing is broken"]
    text = " ".join(table(Report("g", (never,), Leaving(3, ()), 1)).split())
    assert "stream cut fail 0/0 - - the gateway does not answer" in text
    assert "none of 3 connections to the replicas was closed" in text


def test_a_percentile_is_one_of_the_values() -> None:
    """The smallest that so great a share does not exceed."""
    values = [float(each) for each in range(1, 101)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 51.0, 100.0, 100.0]


def test_the_list_explains_every_scenario_and_grade() -> None:
    """Whoever wonders what is tried reads it there."""
    text = listing()
    assert all(each.broken in text and each.wanted in text for each in SCENARIOS)
    assert "\nsafe: " in text
