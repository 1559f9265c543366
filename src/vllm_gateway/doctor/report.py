"""What was found, as lines for people and as JSON for programs."""

from vllm_gateway.doctor.finding import Finding, Level, has_failed


def as_lines(findings: list[Finding]) -> str:
    """Return a line for each finding, with what to do below it, and one line that sums them up."""
    width = max((len(finding.subject) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:<4}  {finding.subject:<{width}}  {finding.says}")
        if finding.cure:
            lines.append(f"{'':<4}  {'':<{width}}  -> {finding.cure}")
    return "\n".join([*lines, "", _sum(findings), ""])


def as_values(findings: list[Finding]) -> dict[str, object]:
    """Return the same for JSON."""
    return {
        "ok": not has_failed(findings),
        "findings": [
            {"level": finding.level.value, "subject": finding.subject, "says": finding.says, "cure": finding.cure}
            for finding in findings
        ],
    }


def _sum(findings: list[Finding]) -> str:
    fails = sum(finding.level is Level.FAIL for finding in findings)
    warns = sum(finding.level is Level.WARN for finding in findings)
    if not fails and not warns:
        return "Everything is as it should be."
    return f"{fails} to repair, {warns} to think about."
