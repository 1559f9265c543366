"""Going on by token ids where the next replica must know that it is in a chat: inside the model's reasoning.

Which of a model's words are reasoning is known to the replica alone. Some vLLM take the ids of the whole prompt with a
chat, in place of the messages, and then tell the answer as that of any chat. Others ignore them in silence, so that has
to be found out first.
"""

from typing import Any

from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.dialects.recovery.continuing import Continuation, Request
from vllm_gateway.dialects.recovery.told import Told, pieces
from vllm_gateway.exchange import Ask, Leg

PATH = "/v1/chat/completions"


async def chat_leg_for(ask: Ask, request: Request, told: Told, kept: int) -> Leg | None:
    """Return what the next replica is asked so that a chat goes on behind `kept` of its tokens.

    None: it takes no ids with a chat, no token is left of what was asked for, or it is not known how many there may be.
    """
    prompt = told.prompt_token_ids
    most = None if prompt is None else request.most_tokens(len(prompt))
    if prompt is None or most is None or most <= kept:
        return None
    ids = prompt.tolist() + told.choices[0].token_ids[:kept].tolist()
    body = {name: value for name, value in request.fields.items() if name != "max_completion_tokens"}
    body |= {"kv_transfer_params": {"prompt_token_ids": ids}, "max_tokens": most - kept, "return_token_ids": True}
    if isinstance(least := request.fields.get("min_tokens"), int):
        body["min_tokens"] = max(0, least - kept)
    if not await _takes_ids(ask, body, len(ids)):
        return None
    return Leg(PATH, codec.dumps(body))


async def _takes_ids(ask: Ask, body: dict[str, Any], count: int) -> bool:
    """Say whether a replica reads a prompt of `count` ids; one token of an answer tells."""
    left_out = ("stream_options", "min_tokens")
    probe = {name: value for name, value in body.items() if name not in left_out}
    answer = await ask(PATH, codec.dumps(probe | {"stream": False, "max_tokens": 1}))
    try:
        told = codec.loads(answer) if answer is not None else None
    except codec.MalformedJson:
        return False
    usage = told.get("usage") if isinstance(told, dict) else None
    return isinstance(usage, dict) and usage.get("prompt_tokens") == count


class ChatContinuation(Continuation):
    """Takes the chat stream of the next replica, and gives it as the rest of the first one."""

    @override
    def said(self, said: dict[str, Any], more: dict[str, Any]) -> bytes:
        """Return the event for a choice of the next replica's chunk; who speaks was told."""
        ids, delta = said.get("token_ids") or [], said.get("delta") or {}
        if "role" in delta:
            delta = {name: value for name, value in delta.items() if name != "role" and value}
            if not delta and said.get("finish_reason") is None:
                return b""
        self.check("".join(text for _, text in pieces(said)), len(ids))
        self.choice.token_ids.extend(ids)
        for strand, text in pieces(said):
            self.choice.add(strand, text)
        self.choice.finish_reason = said.get("finish_reason")
        if not delta and not ids and said.get("finish_reason") is None:
            return b""
        choice = {name: value for name, value in said.items() if name != "prompt_token_ids"}
        return self.event([choice | {"delta": delta, "token_ids": self.shown(ids)}], more)
