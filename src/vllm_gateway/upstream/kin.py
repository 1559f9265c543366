"""Whether token ids mean the same to two replicas, and what their models were made of."""

from collections.abc import Sequence
from typing import NamedTuple

from vllm_gateway.upstream.replica import Replica


class Kin(NamedTuple):
    """What is known of a replica and one of its models."""

    route: str
    root: str
    max_model_len: int
    version: str
    """Of vLLM; empty where it is not known."""
    fingerprint: str
    """The `system_fingerprint` of its answers; empty where none was seen yet."""

    def is_twin_of(self, other: "Kin") -> bool:
        """Say whether nothing that is known of both speaks against it."""
        return self[:3] == other[:3] and all(
            not mine or not theirs or mine == theirs for mine, theirs in zip(self[3:], other[3:], strict=True)
        )

    def is_known_with(self, other: "Kin") -> bool:
        """Say whether both have told all that there is to compare."""
        return bool(self.fingerprint and other.fingerprint)


def kin_of(replica: Replica, model: str) -> Kin:
    """Return what is known of a replica now."""
    row = replica.models.get(model, {})
    return Kin(
        route=replica.route,
        root=str(row.get("root")),
        max_model_len=length if isinstance(length := row.get("max_model_len"), int) else 0,
        version=replica.version,
        fingerprint=replica.fingerprints.get(model, ""),
    )


def roots_of(replicas: Sequence[Replica], model: str) -> list[str]:
    """Return what replicas say that their model of this name was made of; mostly they all say the same."""
    return sorted({str(replica.models.get(model, {}).get("root")) for replica in replicas})
