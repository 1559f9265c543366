"""What engines and the gateway are started with."""

import shutil
import sys
from collections.abc import Mapping, Sequence

from vllm_gateway import codec
from vllm_gateway.launch.plan import Engine
from vllm_gateway.launch.wishes import NEEDS_VLLM, Wishes, WishImpossible

_SHARED_MEMORY = "0.85"
"""Of an accelerator that is shared: those who sleep leave a little behind on it."""
_CPU_CACHE_GIB = "4"


def check_installed(wishes: Wishes, path: str | None) -> None:
    """Refuse when there is nothing to start; raise `WishImpossible`. `path` is where commands are looked for."""
    program = wishes.command[0]
    if shutil.which(program, path=path) is None:
        usual = wishes.command == Wishes(()).command
        raise WishImpossible(NEEDS_VLLM if usual else f"There is no command '{program}' (--engine-command).")


def check_visible(wishes: Wishes, around: Mapping[str, str]) -> None:
    """Refuse when more accelerators are wanted than the user lets us see; raise `WishImpossible`."""
    seen = _seen(around)
    if seen and not wishes.on_cpu and wishes.gpus > len(seen):
        raise WishImpossible(
            f"--gpus {wishes.gpus} are more than CUDA_VISIBLE_DEVICES={around['CUDA_VISIBLE_DEVICES']} shows. "
            "Take the variable away, or name as many in it."
        )


def engine_arguments(engine: Engine, wishes: Wishes) -> list[str]:
    """Return the whole command of an engine."""
    arguments = [*wishes.command, engine.model, "--host", "127.0.0.1", "--port", str(engine.port)]
    arguments += ["--served-model-name", engine.served_name]
    arguments += ["--enable-request-id-headers", "--enable-prompt-tokens-details"]
    if wishes.tp > 1 and not wishes.on_cpu:
        arguments += ["--tensor-parallel-size", str(wishes.tp)]
    if wishes.max_model_len:
        arguments += ["--max-model-len", str(wishes.max_model_len)]
    if engine.slot is not None:
        arguments += ["--enable-sleep-mode", "--gpu-memory-utilization", _SHARED_MEMORY]
    return [*arguments, *wishes.more]


def engine_environment(engine: Engine, wishes: Wishes, around: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an engine; what the user has set himself is left as it is.

    The gateway's own settings, secrets among them, are no business of a program that runs a model's code.
    """
    environment = {name: value for name, value in around.items() if not name.startswith("GATEWAY_")}
    if wishes.on_cpu:
        environment.setdefault("VLLM_CPU_KVCACHE_SPACE", _CPU_CACHE_GIB)
    else:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(_visible(engine.accelerators, around))
    if engine.slot is not None:
        environment["VLLM_SERVER_DEV_MODE"] = "1"  # or there is no way to let it sleep
    return environment


def _visible(accelerators: Sequence[int], around: Mapping[str, str]) -> list[str]:
    """Return the names of these accelerators, counted among those that the user lets us see."""
    seen = _seen(around)
    return [seen[number] if seen else str(number) for number in accelerators]


def _seen(around: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in around.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]


def gateway_arguments(wishes: Wishes) -> list[str]:
    """Return the whole command of the gateway."""
    arguments = [sys.executable, "-m", "vllm_gateway", "serve"]
    for flag, value in (("--host", wishes.host), ("--port", wishes.port), ("--config", wishes.config)):
        if value is not None:
            arguments += [flag, str(value)]
    return arguments


def gateway_environment(engines: Sequence[Engine], around: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the gateway: all settings of the user's, with these engines as its replicas."""
    return {**around, "GATEWAY_UPSTREAMS": codec.dumps(upstreams(engines)).decode()}


def upstreams(engines: Sequence[Engine]) -> list[dict[str, object]]:
    """Return the engines as the gateway's settings name them; replicas of one model have one route."""
    routes = {name: f"model-{number}" for number, name in enumerate(dict.fromkeys(each.model for each in engines))}
    found: list[dict[str, object]] = []
    for engine in engines:
        one: dict[str, object] = {"url": engine.url, "route": routes[engine.model]}
        if engine.slot is not None:
            one |= {"wake_on_request": True, "accelerator": engine.slot}
        found.append(one)
    return found
