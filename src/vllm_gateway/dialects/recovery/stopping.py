"""Stop strings across a cut: a replica looks for them only in what it wrote itself, so here all is searched."""

from collections.abc import Sequence


class StopStrings:
    """Finds stop strings in a text that comes piece by piece, and holds back what may be the beginning of one.

    Args:
        stops: The strings.
        is_included: The one that ends the text belongs to it.
        told: The text so far that is out already.
        held: What follows it and is not.
    """

    def __init__(self, stops: Sequence[str], *, is_included: bool = False, told: str = "", held: str = "") -> None:
        self.found: str | None = None
        """The stop string that ended the text."""
        self._stops = stops
        self._is_included = is_included
        self._longest = max(map(len, stops), default=1)
        self._seen = told[max(0, len(told) - self._longest + 1) :]
        self._held = held
        self.hold = 0 if is_included else self._longest - 1
        """How many characters stay back."""

    def take(self, new: str, *, is_last: bool) -> str:
        """Take the next piece; return what may leave."""
        if self.found is not None:
            return ""
        text = self._seen + self._held + new
        end = self._end(text, len(new)) if new else None
        if end is None:
            end = len(text) if is_last else max(len(self._seen), len(text) - self.hold)
        leaving = text[len(self._seen) : end]
        self._held = text[end:]
        self._seen = text[max(0, end - self._longest + 1) : end]
        return leaving

    def _end(self, text: str, new: int) -> int | None:
        """Return where the text ends, if a stop string ends in its last `new` characters: the one that ends first."""
        ends: list[tuple[int, str]] = []
        for stop in self._stops:
            at = text.find(stop, max(0, len(text) - new - len(stop) + 1))
            if at >= 0:
                ends.append((at + len(stop), stop))
        if not ends:
            return None
        end, self.found = min(ends, key=lambda each: each[0])
        return end if self._is_included else max(end - len(self.found), len(self._seen))
