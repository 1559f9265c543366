"""What the user asked for."""

from dataclasses import dataclass

NEEDS_VLLM = (
    "vLLM is not installed here: there is no command 'vllm'. Install it where your accelerator is (pip install vllm; "
    "see https://docs.vllm.ai), or name another command that takes the arguments of 'vllm serve': --engine-command. "
    "To try the gateway without a model, run: vllm-gateway serve"
)
"""What is said when there is nothing that could be started."""


class WishImpossible(ValueError):
    """It cannot be done; `str()` of it is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Models, and what they may use."""

    models: tuple[str, ...]
    gpus: int = 1
    """Accelerators that may be used, the first ones of the machine."""
    tp: int = 1
    """Accelerators that hold one model together."""
    on_cpu: bool = False
    max_model_len: int | None = None
    command: tuple[str, ...] = ("vllm", "serve")
    more: tuple[str, ...] = ()
    """Further arguments for every engine."""
    host: str | None = None
    """Where the gateway listens; None: where its settings say."""
    port: int | None = None
    config: str | None = None
    """Settings file of the gateway."""

    def check(self) -> None:
        """Refuse what makes no sense; raise `WishImpossible`."""
        if not self.models:
            raise WishImpossible("Name a model: vllm-gateway up Qwen/Qwen3-0.6B")
        if not self.command:
            raise WishImpossible("--engine-command is empty: name a command that takes the arguments of 'vllm serve'.")
        if dashed := [model for model in self.models if model.startswith("-")]:
            raise WishImpossible(f"'{dashed[0]}' is no model: vLLM would take it for a flag (see --engine-arg).")
        if len(set(self.models)) < len(self.models):
            raise WishImpossible("A model is named twice. For several replicas of one, name it once and give --gpus.")
        if not self.on_cpu and self.tp > self.gpus:
            raise WishImpossible(f"--tp {self.tp} needs as many accelerators: give --gpus {self.tp} or more.")
        if not self.on_cpu and self.gpus % self.tp:
            raise WishImpossible(f"--gpus {self.gpus} cannot be shared out in groups of --tp {self.tp}.")
