"""What was measured of one request."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Record:
    """One request: when what happened, in seconds of one clock, and what the server said about it."""

    model: str
    planned_at: float
    """When it should have been sent. In a closed loop, and for later turns of a conversation: when it was."""
    conversation: int = 0
    turn: int = 0
    sent_at: float | None = None
    first_byte_at: float | None = None
    first_output_at: float | None = None
    last_output_at: float | None = None
    """The end of the answer, where it came in one piece."""
    gaps_s: list[float] = field(default_factory=list)
    """Times between neighbouring outputs of a stream."""
    events: int = 0
    """Server-sent events received, outputs or not."""
    status: int | None = None
    error: str | None = None
    """What kind of failure it was; None: it was answered, wholly and well."""
    error_text: str = ""
    input_tokens: int | None = None
    """As the server's `usage` tells; None: it told nothing."""
    output_tokens: int | None = None
    cached_tokens: int | None = None
    queue_s: float | None = None
    """How long the replica let it wait, where it says so."""

    @property
    def is_good(self) -> bool:
        """It was answered, wholly and well."""
        return self.error is None

    @property
    def ttfb_s(self) -> float | None:
        """Time to the first byte of the answer."""
        return _since(self.planned_at, self.first_byte_at)

    @property
    def ttft_s(self) -> float | None:
        """Time to the first output of a stream."""
        return _since(self.planned_at, self.first_output_at)

    @property
    def e2e_s(self) -> float | None:
        """Time to the last output."""
        return _since(self.planned_at, self.last_output_at)

    @property
    def tpot_s(self) -> float | None:
        """Time per output token after the first; None where there is no second one, or their number is not told."""
        if self.first_output_at is None or self.last_output_at is None or not self.output_tokens:
            return None
        further = self.output_tokens - 1
        return (self.last_output_at - self.first_output_at) / further if further else None

    @property
    def mean_gap_s(self) -> float | None:
        """The mean time between neighbouring outputs."""
        return sum(self.gaps_s) / len(self.gaps_s) if self.gaps_s else None

    @property
    def late_s(self) -> float:
        """How much later than planned it was sent."""
        return 0.0 if self.sent_at is None else max(0.0, self.sent_at - self.planned_at)


def _since(start: float, moment: float | None) -> float | None:
    return None if moment is None else moment - start
