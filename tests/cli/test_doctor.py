"""`vllm-gateway doctor`."""

from pathlib import Path

from tests.cli.conftest import Run
from vllm_gateway import codec


def test_settings_that_are_wrong_are_a_failure(run: Run, here: Path) -> None:
    """Each mistake is a line; the exit status is 1."""
    (here / "gateway.yaml").write_text("prot: 1\nport: x\n")
    code, out, _ = run("doctor")
    assert code == 1
    assert out.count("fail  settings") == 2
    assert "2 to repair" in out.splitlines()[-1]


def test_a_gateway_on_the_embedded_engine_can_start(run: Run, here: Path) -> None:
    """As JSON too, for scripts."""
    (here / "gateway.yaml").write_text(f"port: 0\nsession: {{path: {here}/s.sqlite}}\n")
    code, out, _ = run("doctor", "--json")
    told = codec.loads(out)
    assert (code, told["ok"]) == (0, True)
    assert {"level", "subject", "says", "cure"} == set(told["findings"][0])


def test_a_replica_that_is_away_is_a_failure(run: Run, here: Path) -> None:
    """It says so and what to do."""
    (here / "gateway.yaml").write_text("port: 0\nupstreams: [{url: 'http://127.0.0.1:1'}]\n")
    code, out, _ = run("doctor")
    assert code == 1
    assert "fail  replica http://127.0.0.1:1" in out
