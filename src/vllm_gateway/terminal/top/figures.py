"""Numbers as people read them: short, with a unit, and a dash where nobody knows."""

NOTHING = "-"
_KILO = 1000.0
_SURE = 9.95
"""From here on a digit behind the point says nothing more."""


def count(value: float | None) -> str:
    """Return `7`, `950`, `1.2k`, `34k`, `5.6M`."""
    if value is None:
        return NOTHING
    if value < _KILO - 0.5:
        return f"{value:.0f}" if value >= _SURE or value == int(value) else f"{value:.1f}"
    for unit in ("k", "M", "G"):
        value /= _KILO
        if value < _KILO - 0.5:
            return f"{value:.1f}{unit}" if value < _SURE else f"{value:.0f}{unit}"
    return f"{value:.0f}G"


def duration(seconds: float | None) -> str:
    """Return `0.4ms`, `84ms`, `1.2s`, `34s`, `5m06s`, `2h07m`."""
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:  # noqa: PLR2004 - what rounds up to a second is one
        milliseconds = seconds * _KILO
        return f"{milliseconds:.1f}ms" if milliseconds < _SURE else f"{milliseconds:.0f}ms"
    if seconds < 59.5:  # noqa: PLR2004 - what rounds up to a minute is one
        return f"{seconds:.1f}s" if seconds < _SURE else f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"


def percent(share: float | None) -> str:
    """Return `42%`."""
    return NOTHING if share is None else f"{min(max(share, 0.0), 1.0) * 100:.0f}%"
