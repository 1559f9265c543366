"""The whole run."""

import socket
from pathlib import Path

import pytest

from tests.gateway import gateway
from vllm_gateway import codec
from vllm_gateway.chaos import running
from vllm_gateway.chaos.fleet import calm
from vllm_gateway.chaos.judging import Grade
from vllm_gateway.chaos.playing import Measures
from vllm_gateway.chaos.running import CannotPlay, Wishes, chosen, configuration, run


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = tuple(each.getsockname()[1] for each in held)
    for each in held:
        each.close()
    return ports


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask little."""
    small = Measures(late_s=5, hung_s=8, flap_s=1, hits=2, asked=4, settling=3, pace_s=0.01)
    monkeypatch.setattr(running, "_OURS", small)
    monkeypatch.setattr(running, "_PATIENT", small)


@pytest.mark.usefixtures("few")
def test_a_run_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Scenarios that pass make the run a success, and the table names them in their order."""
    assert run(Wishes(only=("filter", "slow"))) == 0
    told = capsys.readouterr()
    assert told.out.index("slow first token") < told.out.index("content filter")
    assert "2 of 2 scenarios pass" in told.out
    assert sorted(told.err.split("\n")) == ["", "  filter: pass", "  slow: pass"]


@pytest.mark.usefixtures("few")
def test_json_takes_the_place_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """What goes to the standard output is JSON and nothing else."""
    assert run(Wishes(only=("slow",), json="-")) == 0
    assert codec.loads(capsys.readouterr().out)["passed"] == 1


@pytest.mark.usefixtures("few")
def test_json_is_written_beside_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file gets the report for programs, and people still read the table."""
    assert run(Wishes(only=("slow",), json=str(tmp_path / "report.json"))) == 0
    assert codec.loads((tmp_path / "report.json").read_bytes())["scenarios"][0]["verdict"] == "pass"
    assert "1 of 1 scenarios pass" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_told_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for a report that is then lost."""
    assert run(Wishes(json=str(tmp_path / "missing" / "report.json"))) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


@pytest.mark.usefixtures("few")
async def test_any_gateway_can_be_tried() -> None:
    """A gateway that somebody else has started is tried with replicas on the ports that it knows."""
    ports = free_ports(2)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with calm() as undisturbed, gateway(*urls, probe={"every_s": 0.1, "eject_s": 0.1}) as other:
        played, leaving = await running._play_against(
            Wishes(only=("slow",), against=other.url, ports=ports), other.url, undisturbed
        )
    assert ([each.verdict.grade for each in played], leaving) == ([Grade.PASS], None)


async def test_ports_in_use_are_told() -> None:
    """A port that somebody else has is a sentence, not a crash."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        ports = (held.getsockname()[1], *free_ports(1))
        async with calm() as undisturbed:
            with pytest.raises(CannotPlay, match="cannot listen on its port"):
                await running._play_against(Wishes(ports=ports), "http://127.0.0.1:1", undisturbed)


@pytest.mark.usefixtures("few")
def test_nobody_at_the_address_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that does not answer ends the run in one sentence, and what it should know has been said."""
    monkeypatch.setattr("vllm_gateway.chaos.playing._SETTLING_PAUSE_S", 0)
    first, second = free_ports(2)
    assert run(Wishes(against="http://127.0.0.1:1", ports=(first, second))) == 1
    told = capsys.readouterr().err
    assert f"http://127.0.0.1:{first}/v1  models chaos and chaos-small" in told
    assert "does not answer for model 'chaos'" in told


def test_scenarios_are_chosen_by_name() -> None:
    """No name is all of them; a name that there is not is refused."""
    assert len(chosen(())) == 16
    assert [each.name for each in chosen(("stall", "cut"))] == ["cut", "stall"]
    with pytest.raises(ValueError, match="There is no scenario 'cuts'; there are patience"):
        chosen(("cuts",))


def test_the_third_replica_is_the_larger_one() -> None:
    """What a gateway is to be configured with names each replica's models."""
    last = configuration(["http://a:1", "http://a:2", "http://a:3"]).splitlines()[-1]
    assert last == "  http://a:3/v1  model chaos-large, larger context, fallback of chaos-small"
