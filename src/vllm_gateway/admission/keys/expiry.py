"""How people say until when a key holds."""

import re
from datetime import UTC, datetime

_SPAN = re.compile(r"([1-9][0-9]{0,5})([hdw])")
_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}


def read_expiry(text: str, *, wall: float) -> float:
    """Return the wall time from which on a key is refused: `12h`, `30d`, `8w`, or the day (UTC) `2027-01-31`.

    Raises:
        ValueError: it is none of these, or over already.
    """
    if span := _SPAN.fullmatch(text):
        return float(int(wall) + int(span[1]) * _SECONDS[span[2]])
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(
            f"'{text}' is no expiry; write a span like 12h, 30d or 8w, or a day like 2027-01-31."
        ) from None
    if day.timestamp() <= wall:
        raise ValueError(f"{text} is over; name a day to come.")
    return day.timestamp()
