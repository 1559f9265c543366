"""What every place that keeps usage promises; `test_database.py` and `test_statements.py` hold the places to it."""

from tests.telemetry.usage.records import record
from vllm_gateway.telemetry.usage.store import Entry


def test_an_entry_is_known_by_its_writer_and_its_number() -> None:
    """Both together make it the only one; the record beside them is what is kept."""
    entry = Entry("writer", 7, record())
    assert entry[:2] == ("writer", 7)
    assert entry.record == record()
