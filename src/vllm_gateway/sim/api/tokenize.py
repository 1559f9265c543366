"""`POST /tokenize` and `/detokenize`: exactly the tokens that generation uses."""

from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel

from vllm_gateway import codec
from vllm_gateway.sim.api import conversation, fields
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.replica import Replica


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str | None = None
    return_token_strs: bool | None = False


class PromptFields(_Fields):
    """The body of a request about a text."""

    prompt: str


class ConversationFields(_Fields):
    """The body of a request about a conversation."""

    messages: list[dict[str, Any]]
    add_generation_prompt: bool | None = None
    continue_final_message: bool = False


class TokenizeFields(RootModel[PromptFields | ConversationFields]):
    """Either of the two."""


class DetokenizeFields(BaseModel):
    """The body of a detokenize request."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model: str | None = None
    tokens: list[fields.TokenId]


def tokenize(replica: Replica, call: Call) -> None:
    """Answer with the ids of a text or of a conversation."""
    body = fields.read(TokenizeFields, call.seen.body).root
    replica.check_any_model(body.model)
    if isinstance(body, PromptFields):
        ids = tokens.encode(body.prompt)
    else:
        opened, continued = body.add_generation_prompt, body.continue_final_message
        ids = conversation.render(body.messages, open_reply=opened, continue_last=continued)
    call.reply(
        200,
        codec.dumps(
            {
                "count": len(ids),
                "max_model_len": replica.settings.max_model_len,
                "tokens": ids,
                "token_strs": list(map(tokens.name, ids)) if body.return_token_strs else None,
            }
        ),
    )


def detokenize(replica: Replica, call: Call) -> None:
    """Answer with the text of ids, special tokens by name; an id that is no token has no text."""
    body = fields.read(DetokenizeFields, call.seen.body)
    replica.check_any_model(body.model)
    known = [token for token in body.tokens if token < tokens.SIZE]
    call.reply(200, codec.dumps({"prompt": tokens.decode(known, skip_special=False)}))
