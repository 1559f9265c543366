"""What was found, for people and for programs."""

from vllm_gateway.doctor.finding import ok, warn
from vllm_gateway.doctor.report import as_lines, as_values


def test_each_finding_is_a_line_and_its_cure_another() -> None:
    """The last line sums them up."""
    assert as_lines([ok("port", "free"), warn("access", "open", "Close it.")]).splitlines() == [
        "ok    port    free",
        "warn  access  open",
        "              -> Close it.",
        "",
        "0 to repair, 1 to think about.",
    ]


def test_when_nothing_is_wrong_that_is_said() -> None:
    """One looks at the last line first."""
    assert as_lines([ok("port", "free")]).endswith("Everything is as it should be.\n")


def test_programs_read_the_same() -> None:
    """With one word on the whole."""
    values = as_values([warn("access", "open", "Close it.")])
    assert values["ok"] is True
    assert values["findings"] == [{"level": "warn", "subject": "access", "says": "open", "cure": "Close it."}]
