"""`vllm-gateway sim`."""

import dataclasses
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable

import pytest

from tests.cli.conftest import Run
from tests.waiting import PATIENCE_S
from vllm_gateway import codec
from vllm_gateway.cli.sim import sim
from vllm_gateway.sim import SimSettings

EVERY_FLAG = (
    "--host h --port 1 --model a --model b --embedding-model e --max-model-len 2 --ttft-ms 3 --ttft-ms-per-1k 4 "
    "--itl-ms 5 --max-num-seqs 6 --max-num-queued 7 --kv-blocks 8 --seed 9 --api-key k --dev-mode"
)


def test_each_flag_sets_its_setting(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given on the command line arrives; what is not keeps the engine's own default."""
    found: list[SimSettings] = []

    def run_instead(settings: SimSettings) -> int:
        found.append(settings)
        return 0

    monkeypatch.setattr("vllm_gateway.sim.run", run_instead)
    assert run("sim")[0] == 0
    assert run("sim", *EVERY_FLAG.split())[0] == 0
    assert found == [
        SimSettings(),
        SimSettings(
            host="h",
            port=1,
            models=("a", "b"),
            embedding_models=("e",),
            max_model_len=2,
            ttft_ms=3,
            ttft_ms_per_1k=4,
            itl_ms=5,
            max_num_seqs=6,
            max_num_queued=7,
            kv_blocks=8,
            seed=9,
            api_key="k",
            dev_mode=True,
        ),
    ]


def test_the_defaults_in_the_help_are_the_engines() -> None:
    """Each default that the help names is the one of `SimSettings`."""
    defaults = {field.name: field.default for field in dataclasses.fields(SimSettings)}
    told = dict(re.findall(r"^ +(\w+): .*\[default: (.*)\]$", sim.__doc__ or "", flags=re.MULTILINE))
    assert len(told) == 12
    for flag, text in told.items():
        default = defaults[f"{flag}s" if flag in {"model", "embedding_model"} else flag]
        shown = {"tuple": "{0[0]}", "float": "{0:g}", "NoneType": "no limit"}.get(type(default).__name__, "{0}")
        assert text == shown.format(default)


def test_the_engine_runs_until_it_is_told_to_end(start: Callable[..., subprocess.Popen[str]]) -> None:
    """The command prints its address, serves the models that were named, and ends with 0 on SIGTERM."""
    engine = start("sim", "--port", "0", "--model", "tiny")
    try:
        assert engine.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", engine.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(f"{found[0]}/v1/models", timeout=PATIENCE_S) as answer:  # noqa: S310 - our own server
            names = [model["id"] for model in codec.loads(answer.read())["data"]]
        assert "tiny" in names
        engine.send_signal(signal.SIGTERM)
        _, err = engine.communicate(timeout=PATIENCE_S)
    finally:
        engine.kill()
    assert (engine.returncode, err) == (0, "")
