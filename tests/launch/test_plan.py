"""Which engine runs where."""

from pathlib import Path

import pytest

from vllm_gateway.launch.plan import count, plan, served_name
from vllm_gateway.launch.wishes import Wishes, WishImpossible


def planned(wishes: Wishes) -> list[tuple[str, tuple[int, ...], str | None]]:
    """Return name, accelerators and slot of each engine."""
    engines = plan(wishes, list(range(9000, 9000 + count(wishes))))
    return [(each.name, each.accelerators, each.slot) for each in engines]


def test_a_model_has_as_many_replicas_as_there_is_room_for() -> None:
    """Each on its own accelerators."""
    assert planned(Wishes(("org/a",), gpus=4, tp=2)) == [("a", (0, 1), None), ("a-2", (2, 3), None)]


def test_several_models_have_an_accelerator_each() -> None:
    """What is left over makes replicas of the first ones."""
    assert planned(Wishes(("a", "b"), gpus=3)) == [("a", (0,), None), ("b", (1,), None), ("a-2", (2,), None)]


def test_more_models_than_room_share() -> None:
    """Only those that really do: one that is alone never has to sleep."""
    assert planned(Wishes(("a", "b", "c"), gpus=2)) == [("a", (0,), "slot-0"), ("b", (1,), None), ("c", (0,), "slot-0")]


def test_on_a_cpu_nobody_shares() -> None:
    """Memory is the machine's to share out."""
    assert planned(Wishes(("a", "b"), on_cpu=True)) == [("a", (), None), ("b", (), None)]


def test_each_engine_has_its_port_on_this_machine() -> None:
    """Nobody else reaches it."""
    (engine,) = plan(Wishes(("a",)), [9000])
    assert engine.url == "http://127.0.0.1:9000"


def test_a_folder_is_called_by_its_name(tmp_path: Path) -> None:
    """Clients need not know where it lies; an id of the hub stays as it is."""
    (tmp_path / "tiny").mkdir()
    assert served_name(str(tmp_path / "tiny")) == "tiny"
    assert served_name("org/model") == "org/model"


def test_two_models_do_not_have_one_name(tmp_path: Path) -> None:
    """A request could not say which of them it means."""
    folders = [tmp_path / "old" / "tiny", tmp_path / "new" / "tiny"]
    for folder in folders:
        folder.mkdir(parents=True)
    with pytest.raises(WishImpossible, match="would both be called tiny"):
        plan(Wishes(tuple(map(str, folders))), [9000, 9001])
