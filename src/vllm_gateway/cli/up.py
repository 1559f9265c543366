"""`vllm-gateway up`."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from vllm_gateway.settings.surroundings import said

if TYPE_CHECKING:
    from vllm_gateway.launch.wishes import Wishes

_Count = Annotated[int | None, Parameter(validator=Number(gte=1, lte=1024))]
_Port = Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))]
_OFF = frozenset({"0", "false", "no", "off"})


def up(
    *models: str,
    gpus: _Count = None,
    tp: _Count = None,
    cpu: bool = False,
    max_model_len: _Count = None,
    host: str | None = None,
    port: _Port = None,
    engine_command: str = "vllm serve",
    engine_arg: Annotated[list[str] | None, Parameter(allow_leading_hyphen=True)] = None,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
) -> int:
    """Start vLLM for one or more models, and the gateway in front of them.

    vLLM has to be installed. Its servers listen on this machine only; their lines are passed on; one that ends is
    started again. The gateway starts when all models are ready.

    More accelerators than models: further replicas. Fewer: models share them by vLLM's sleep mode. Of those on one
    accelerator one is awake; a request for another one waits while they change places.

    For example: vllm-gateway up Qwen/Qwen3-0.6B

    Or, two models that take turns on one accelerator: vllm-gateway up Qwen/Qwen3-8B google/gemma-3-4b-it --gpus 1

    Args:
        models: Ids on the hub, or folders. [env: MODEL, DEFAULT_MODEL]
        gpus: Accelerators that may be used, the first of the machine. [default: as many as --tp]
        tp: Accelerators that hold one model together. [env: TP_SIZE] [default: 1]
        cpu: Run on the CPU; needs a vLLM that was built for it. [env: USE_GPU=0]
        max_model_len: Most tokens of a prompt and its answer. [env: MAX_MODEL_LEN, VLLM_MAX_MODEL_LEN]
        host: Address that the gateway listens on. [default: its settings', which is 127.0.0.1]
        port: Port that the gateway listens on. [default: its settings', which is 8080]
        engine_command: Another command in place of 'vllm serve' that takes its arguments.
        engine_arg: A further argument for every engine; give it again for each, as --engine-arg=--enforce-eager.
        config: Settings file of the gateway. [default: GATEWAY_CONFIG, else gateway.yaml if it is there]

    Returns:
        The exit status.
    """
    from vllm_gateway.launch.wishes import Wishes  # noqa: PLC0415 - keeps --help quick

    together = tp or _number("TP_SIZE") or 1
    wishes = Wishes(
        models=models or _named(),
        gpus=gpus or together,
        tp=together,
        on_cpu=cpu or (said("USE_GPU") or "").lower() in _OFF,
        max_model_len=max_model_len or _number("MAX_MODEL_LEN") or _number("VLLM_MAX_MODEL_LEN"),
        command=_words(engine_command),
        more=tuple(engine_arg or ()),
        host=host,
        port=port,
        config=str(config) if config else None,
    )
    return _run(wishes)


def _run(wishes: "Wishes") -> int:
    from vllm_gateway.launch.command import check_installed, check_visible  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.launch.running import run  # noqa: PLC0415 - as above
    from vllm_gateway.launch.wishes import WishImpossible  # noqa: PLC0415 - as above
    from vllm_gateway.settings import SettingsInvalid  # noqa: PLC0415 - as above
    from vllm_gateway.settings.surroundings import whole  # noqa: PLC0415 - as above

    try:
        wishes.check()
        check_installed(wishes, said("PATH"))
        check_visible(wishes, whole())
        return run(wishes, whole())
    except WishImpossible as impossible:
        sys.stderr.write(f"{impossible}\n")
    except SettingsInvalid as invalid:
        sys.stderr.write("".join(f"{problem.line}\n" for problem in invalid.problems))
    return 1


def _words(command: str) -> tuple[str, ...]:
    """Return a command's words; one whose quotes do not close is one word, which no program is called."""
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return (command,)


def _named() -> tuple[str, ...]:
    """Return the model that the environment names."""
    name = said("MODEL") or said("DEFAULT_MODEL")
    return (name,) if name else ()


def _number(name: str) -> int | None:
    """Return a variable of the environment as a number; None where it holds none."""
    text = said(name) or ""
    return int(text) if text.isdecimal() and int(text) else None
