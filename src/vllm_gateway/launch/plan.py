"""Which engine runs where.

As many accelerators as `tp` says are one slot. With a slot for every model each model has its own, and what is left
over makes further replicas. With fewer slots models share them: of those on one slot one is awake, the others sleep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vllm_gateway.launch.wishes import Wishes, WishImpossible


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine that is to run."""

    name: str
    """What its lines in the log begin with."""
    model: str
    """What vLLM is told to load."""
    served_name: str
    """What clients call it."""
    port: int
    accelerators: tuple[int, ...] = ()
    """Which ones it uses; none on a CPU."""
    slot: str | None = None
    """Name of the slot, where it shares one."""

    @property
    def url(self) -> str:
        """Where it answers: on this machine only."""
        return f"http://127.0.0.1:{self.port}"


def plan(wishes: Wishes, ports: list[int]) -> list[Engine]:
    """Return the engines; `ports` holds one for each, see `count`.

    Raises:
        WishImpossible: two models would have one name.
    """
    models = wishes.models
    _check_names(models)
    if wishes.on_cpu:
        return [_engine(model, (), None, port) for model, port in zip(models, ports, strict=True)]
    slots = wishes.gpus // wishes.tp
    held = [tuple(range(slot * wishes.tp, (slot + 1) * wishes.tp)) for slot in range(slots)]
    if len(models) > slots:
        return [
            _engine(model, held[number % slots], f"slot-{number % slots}" if _shares(number, wishes) else None, port)
            for number, (model, port) in enumerate(zip(models, ports, strict=True))
        ]
    engines = []
    for number, port in zip(range(slots), ports, strict=True):
        model = models[number % len(models)]
        again = number // len(models)
        engines.append(_engine(model, held[number], None, port, again=again))
    return engines


def count(wishes: Wishes) -> int:
    """Return how many engines there will be."""
    slots = wishes.gpus // wishes.tp
    return len(wishes.models) if wishes.on_cpu else max(len(wishes.models), slots)


def served_name(model: str) -> str:
    """Return what clients call a model: its id on the hub, or the name of its folder."""
    path = Path(model).expanduser()
    return path.absolute().name if path.is_dir() else model


def _check_names(models: Sequence[str]) -> None:
    names = [served_name(model) for model in models]
    for number, name in enumerate(names):
        if name in names[:number]:
            twin = models[names.index(name)]
            raise WishImpossible(f"{twin} and {models[number]} would both be called {name}. Rename one of the folders.")


def _shares(number: int, wishes: Wishes) -> bool:
    """Say whether the slot of the model with this number has another model, too."""
    slots = wishes.gpus // wishes.tp
    return number >= slots or number + slots < len(wishes.models)


def _engine(model: str, accelerators: tuple[int, ...], slot: str | None, port: int, *, again: int = 0) -> Engine:
    served = served_name(model)
    short = served.rpartition("/")[2]
    return Engine(f"{short}-{again + 1}" if again else short, model, served, port, accelerators, slot)
