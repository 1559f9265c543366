"""What tests say to a sim that runs elsewhere."""

from tests.sim.quick import HELLO, quick


async def test_faults_come_and_go_over_the_wire() -> None:
    """Added, listed, met as often as they may, and taken back."""
    async with quick() as sim:
        told = await sim.post("/sim/faults", faults=["status=503x1", "slow=0.01"])
        assert told == {"faults": ["status=503x1", "slow=0.01"]}
        assert (await sim.http.post("/v1/chat/completions", json=HELLO)).status_code == 503
        assert (await sim.http.get("/sim/faults")).json() == {"faults": ["slow=0.01"]}
        assert (await sim.http.delete("/sim/faults")).json() == {"faults": []}
        await sim.post("/v1/chat/completions", **HELLO)


async def test_a_wrong_fault_adds_none() -> None:
    """All of a list or nothing."""
    async with quick() as sim:
        status, error = await sim.refused("/sim/faults", faults=["reset@7", "rest"])
        assert (status, error["error"]["param"]) == (400, "faults")
        assert (await sim.http.get("/sim/faults")).json() == {"faults": []}


async def test_the_admin_calls_meet_no_fault() -> None:
    """Whatever is on, it can be taken back."""
    async with quick(faults=("reset/",)) as sim:
        assert (await sim.http.delete("/sim/faults")).status_code == 200
        assert (await sim.http.get("/health")).status_code == 200


async def test_the_log_tells_what_was_seen() -> None:
    """Requests with headers and body as they came, and the connections they came on."""
    async with quick() as sim:
        await sim.http.post("/v1/chat/completions", json=HELLO | {"max_tokens": 3}, headers={"X-Mark": "yes"})
        log = (await sim.http.get("/sim/log?last=2")).json()
        seen = log["requests"][0]
        assert (seen["target"], seen["status"], seen["tokens"]) == ("/v1/chat/completions", 200, 3)
        assert ["X-Mark", "yes"] in [[name.title(), value] for name, value in seen["headers"]]
        assert '"content":"Hello"' in seen["body"].replace(" ", "")
        assert log["connections"][0]["requests"] == 2
        await sim.http.delete("/sim/log")
        assert len((await sim.http.get("/sim/log")).json()["requests"]) == 1
