"""What has just ended."""

from pathlib import Path

from tests.edge.admin.desk import desk
from tests.exchanges import exchange
from tests.telemetry.test_recent import record
from vllm_gateway.callers import Caller
from vllm_gateway.edge.admin.recent import recent_object, recent_part
from vllm_gateway.exchange import Usage
from vllm_gateway.outcomes import Outcome
from vllm_gateway.telemetry.recent import Recent


async def test_what_ended_is_told_and_nothing_of_what_was_said(tmp_path: Path) -> None:
    """Who, where, how much, how it ended; and how many wait now."""
    async with desk(tmp_path) as one:
        asking = exchange(body=b'{"messages":["canary"]}')
        asking.body = b'{"messages":["canary"]}'
        asking.target = asking.address = "canary"
        asking.caller = Caller("key-1", upstream_key=b"canary")
        asking.model, asking.replica, asking.usage = "a", "big-1", Usage(7, 5)
        one.ledger.open(asking)
        one.ledger.close(asking, Outcome.OK_RESUMED)
        reply = await one.http.get("/admin/recent")
        said = reply.json()
        assert (said["requests"], said["waiting"], said["callers"][0]["name"]) == (1, 3, "key-1")
        assert [(each["id"], each["outcome"], each["model"]) for each in said["notable"]] == [
            ("request-1", "ok_resumed", "a")
        ]
        assert "canary" not in reply.text


def test_several_processes_tell_as_one() -> None:
    """Their requests are summed up together, and those who wait are added up."""
    first, second = Recent(), Recent()
    first.tell(record())
    second.tell(record(outcome="timeout", ended=999.0))
    said = recent_object([recent_part(first, 1), recent_part(second, 2)], 1000.0)
    assert (said["requests"], said["failed"], said["waiting"], len(said["notable"])) == (2, 1, 3, 1)
    assert said["replicas"][0]["requests"] == 2
