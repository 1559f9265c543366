"""One sim put together: what its routes need, in one place."""

from vllm_gateway.clock import Clock
from vllm_gateway.sim.api.problems import Problem, unknown_model
from vllm_gateway.sim.engine.meters import Meters
from vllm_gateway.sim.engine.model import Model
from vllm_gateway.sim.engine.scheduler import Scheduler
from vllm_gateway.sim.faults.control import Control
from vllm_gateway.sim.journal import Journal
from vllm_gateway.sim.settings import SimSettings


class Replica:
    """The parts of one sim; belongs to the event loop that runs when it is made."""

    def __init__(self, settings: SimSettings, clock: Clock, faults: Control) -> None:
        self.settings = settings
        self.clock = clock
        self.journal = Journal(settings.journal_size)
        self.meters = Meters()
        self.scheduler = Scheduler(
            clock,
            self.meters,
            slots=settings.max_num_seqs,
            most=settings.max_num_queued,
            kv_blocks=settings.kv_blocks,
            ttft_s=settings.ttft_ms / 1000,
            ttft_per_token_s=settings.ttft_ms_per_1k / 1_000_000,
            itl_s=settings.itl_ms / 1000,
        )
        self.faults = faults
        self.started_at = int(clock.wall())
        self._models = {name: Model(name, settings.seed) for name in settings.models}

    @property
    def served_name(self) -> str:
        """The name under which `/metrics` speaks of it: the first."""
        return (*self.settings.models, *self.settings.embedding_models)[0]

    def model(self, name: str | None) -> Model:
        """Return the generating model of that name, or the first one when none is named; or raise a `Problem`.

        What follows an exclamation mark is not part of the name: it says what goes wrong.
        """
        wanted = name or self.served_name
        try:
            return self._models[wanted.partition("!")[0]]
        except KeyError:
            raise unknown_model(wanted, self.settings.models) from None

    def check_embedding_model(self, name: str | None) -> str:
        """Return the name of an embedding model, or raise a `Problem`."""
        wanted = (name or self.settings.embedding_models[0]).partition("!")[0]
        if wanted not in self.settings.embedding_models:
            raise Problem(f"The model `{wanted}` does not exist.", status=404, kind="NotFoundError")
        return wanted

    def check_any_model(self, name: str | None) -> None:
        """Raise a `Problem` unless a model of that name is served, of whatever kind."""
        if name and name not in self.settings.embedding_models:
            self.model(name)
