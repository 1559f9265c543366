"""What workers have told of their counts: so that a count goes on where it was when the one that counted is gone.

Each worker writes down what it tells, before it tells it. Whoever takes its place begins with that, and while nobody
has, the others read it. So no count that was ever seen goes back; what nobody had asked for yet is lost with the
process.
"""

from pathlib import Path

from vllm_gateway import codec
from vllm_gateway.telemetry.metrics.series import Snapshot, lasting, merged, plain, read


class Told:
    """The last counts of all workers, in the folder where they meet."""

    def __init__(self, folder: Path, *, number: int, count: int) -> None:
        self._folder = folder
        self._number = number
        self._others = [other for other in range(count) if other != number]
        self._inherited = self.of(number)

    def tell(self, own: Snapshot) -> Snapshot:
        """Write down and return what this worker has counted, with what those before it in this place had."""
        told = merged([own, self._inherited])
        path = self._path(self._number)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(codec.dumps(plain(lasting(told))))
        fresh.replace(path)
        return told

    def of_absent(self, present: set[int]) -> list[Snapshot]:
        """Return what the workers told last that are not `present`."""
        return [self.of(other) for other in self._others if other not in present]

    def of(self, number: int) -> Snapshot:
        """Return what was last told in a place; nothing where nobody was ever asked."""
        try:
            return read(codec.loads(self._path(number).read_bytes()))
        except FileNotFoundError:
            return {}

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.counts"
