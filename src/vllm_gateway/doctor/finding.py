"""What one look has found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, and will give trouble."""
    FAIL = "fail"
    """A gateway with these settings would not start, or could not answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    subject: str
    """What was looked at."""
    says: str
    cure: str = ""
    """What to do; empty where nothing is to be done."""


def ok(subject: str, says: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, subject, says)


def warn(subject: str, says: str, cure: str) -> Finding:
    """Return that something will give trouble."""
    return Finding(Level.WARN, subject, says, cure)


def fail(subject: str, says: str, cure: str) -> Finding:
    """Return that something keeps the gateway from its work."""
    return Finding(Level.FAIL, subject, says, cure)


def has_failed(findings: list[Finding]) -> bool:
    """Say whether anything keeps the gateway from its work."""
    return any(finding.level is Level.FAIL for finding in findings)
