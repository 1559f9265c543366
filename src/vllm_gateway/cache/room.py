"""What all answers under way may take together."""

from dataclasses import dataclass


@dataclass(slots=True)
class Room:
    """So many bytes, for as long as somebody may still have to be given them."""

    max_bytes: int
    size_bytes: int = 0
    """What is taken; each answer sees to its own part."""

    @property
    def is_full(self) -> bool:
        """There is room for what has to be held only."""
        return self.size_bytes > self.max_bytes
