"""What has been done with replicas since the gateway began: plain counts, read when somebody asks."""

from collections import Counter

OK = "ok"
"""Of an attempt: the answer was passed on whole. Otherwise it is the code of what it failed with."""
CANCELLED = "cancelled"
"""Of an attempt: nobody wanted it any more, because the caller left or another replica was quicker."""


class Tally:
    """Counts that go up only, and outlive the replicas that they are of."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()
        """Requests that were sent, by replica and result."""
        self.ejections: Counter[tuple[str, str]] = Counter()
        """How often a replica was taken out, by replica and the sign that did it."""
        self.resumes: Counter[tuple[str, str]] = Counter()
        """Streams that broke off, by what became of them and why they broke."""
        self.hedges: Counter[str] = Counter()
        """Requests that a second replica was `asked` for, and those that it `won`."""
