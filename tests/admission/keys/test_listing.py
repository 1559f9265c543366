"""How keys are shown."""

from dataclasses import replace

import pytest

from tests.admission.keys.making import WALL, made
from vllm_gateway.admission.keys.listing import described, table
from vllm_gateway.admission.keys.record import KeyRecord
from vllm_gateway.callers import Priority

SECRET, RECORD = made(expires=WALL + 60, models=("tiny",), rpm=5, priority=Priority.BATCH)


@pytest.mark.parametrize(
    ("record", "wall", "state"),
    [
        (RECORD, WALL, "valid"),
        (RECORD, WALL + 60, "expired"),
        (replace(RECORD, revoked=WALL), WALL, "revoked"),
    ],
    ids=["valid", "expired", "revoked"],
)
def test_the_state_of_a_key_is_told(record: KeyRecord, wall: float, state: str) -> None:
    """Whether the key opens the door, and if not, why."""
    assert described(record, wall)["state"] == state


def test_nothing_of_the_key_is_shown_but_its_beginning() -> None:
    """Neither its digest nor more than eight of its characters."""
    shown = f"{described(RECORD, WALL)} {table([described(RECORD, WALL)])}"
    assert RECORD.digest not in shown
    assert SECRET[:9] not in shown
    assert SECRET[:8] in shown


def test_a_table_has_a_line_for_each_key() -> None:
    """Columns stand under their heads; what is not limited is said so."""
    lines = table([described(record, WALL) for record in (RECORD, made("bob")[1])]).splitlines()
    assert lines[0].split() == ["ID", "NAME", "KEY", "MODELS", "LIMITS", "CLASS", "CREATED", "EXPIRES", "STATE"]
    assert lines[1].split()[3:8] == ["tiny", "5", "rpm", "batch", "2023-11-14"]
    assert lines[2].split()[1:5:2] == ["bob", "all"]
    assert len({line.index("ann" if "ann" in line else "bob") for line in lines[1:]}) == 1


def test_a_table_without_keys_has_its_heads() -> None:
    """Nothing is there, and that can be seen."""
    assert table([]).startswith("ID  NAME  KEY")
