"""`GET /v1/models`."""

from vllm_gateway import codec
from vllm_gateway.sim.api.answering import Json, new_id
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.replica import Replica


def answer(replica: Replica, call: Call) -> None:
    """List what is served; it never pretends to be a model of somebody's."""
    names = (*replica.settings.models, *replica.settings.embedding_models)
    call.reply(200, codec.dumps({"object": "list", "data": [_card(replica, name) for name in names]}))


def _card(replica: Replica, name: str) -> Json:
    created = int(replica.clock.wall())
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "vllm-gateway-sim",
        "root": name,
        "parent": None,
        "max_model_len": replica.settings.max_model_len,
        "permission": [
            {
                "id": f"modelperm-{new_id()}",
                "object": "model_permission",
                "created": created,
                "allow_create_engine": False,
                "allow_sampling": True,
                "allow_logprobs": True,
                "allow_search_indices": False,
                "allow_view": True,
                "allow_fine_tuning": False,
                "organization": "*",
                "group": None,
                "is_blocking": False,
            }
        ],
    }
