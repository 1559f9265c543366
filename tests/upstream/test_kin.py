"""Whether token ids mean the same to two replicas."""

import pytest

from vllm_gateway.clock import SystemClock
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.kin import Kin, kin_of, roots_of
from vllm_gateway.upstream.replica import Replica

ONE = Kin("default", "/model", 4096, "0.32.0", "vllm-0.32.0-abc")


@pytest.mark.parametrize(
    ("other", "is_twin"),
    [
        (ONE, True),
        (ONE._replace(version=""), True),
        (ONE._replace(fingerprint=""), True),
        (ONE._replace(fingerprint="vllm-0.32.0-def"), False),
        (ONE._replace(version="0.33.0"), False),
        (ONE._replace(root="/other"), False),
        (ONE._replace(max_model_len=8192), False),
        (ONE._replace(route="other"), False),
    ],
)
def test_twins_differ_in_nothing_that_is_known(other: Kin, is_twin: bool) -> None:
    """What one of them has not told yet speaks neither for nor against it."""
    assert ONE.is_twin_of(other) is is_twin
    assert other.is_twin_of(ONE) is is_twin


def test_it_is_made_of_what_a_replica_says() -> None:
    """Of its row in the list of models, its version, and its answers."""
    replica = Replica("a-1", Upstream(url="http://h", route="a"), clock=SystemClock(), connect_s=1)
    assert kin_of(replica, "m") == Kin("a", "None", 0, "", "")
    replica.models = {"m": {"root": "/model", "max_model_len": 4096}}
    replica.version, replica.fingerprints = "0.32.0", {"m": "print"}
    assert kin_of(replica, "m") == Kin("a", "/model", 4096, "0.32.0", "print")


def test_a_model_is_made_of_what_its_replicas_say() -> None:
    """Each thing counts once; one who says nothing counts too."""
    clock = SystemClock()
    three = [Replica(f"a-{each}", Upstream(url="http://h", route="a"), clock=clock, connect_s=1) for each in range(3)]
    three[0].models = three[2].models = {"m": {"root": "/model"}}
    assert roots_of(three, "m") == ["/model", "None"]
    assert roots_of(three[::2], "m") == ["/model"]
