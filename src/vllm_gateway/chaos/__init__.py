"""What a gateway does when its replicas fail: scripted faults, and a verdict on every answer.

`scenarios` says what breaks and what is wanted, `fleet` has the replicas that break, `gateways` the gateway before
them, `questions` what is asked, `caller` asks and `answer` understands what came back, `judging` compares it with what
an undisturbed replica answers, `evidence` looks at what the replicas saw, `playing` runs a scenario, `leaving` measures
what happens when callers leave, and `running` does all of it and prints what `report` makes of it.
"""

from vllm_gateway.chaos.running import Wishes, run
from vllm_gateway.chaos.scenarios import SCENARIOS

__all__ = ["SCENARIOS", "Wishes", "run"]
