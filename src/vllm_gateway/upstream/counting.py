"""How many tokens a prompt has, as the replica that will read it counts them.

vLLM's `POST /tokenize` renders a conversation with the model's own chat template, tools included, as
`/v1/chat/completions` does.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from vllm_gateway import codec
from vllm_gateway.errors import (
    ReplicaFailed,
    ReplicaSilent,
    ReplicasUnusable,
    ReplicaUnreachable,
    RouteUnsupported,
)
from vllm_gateway.upstream.asking import ask
from vllm_gateway.upstream.connection import ConnectionFault
from vllm_gateway.upstream.replica import Replica
from vllm_gateway.upstream.verdicts import Verdict, judge_own

PATH = "/tokenize"
TIMEOUT_S = 10.0
MAX_REMEMBERED = 4096
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""A million token ids take less."""

_TELLING = (
    "messages",
    "prompt",
    "tools",
    "chat_template",
    "chat_template_kwargs",
    "add_generation_prompt",
    "continue_final_message",
    "add_special_tokens",
    "media_io_kwargs",
    "mm_processor_kwargs",
)
"""What of a body makes its prompt, and has the same name in `/tokenize`."""
_COUNT = re.compile(rb'"count"\s*:\s*(\d+)')
_LENGTH = re.compile(rb'"max_model_len"\s*:\s*(\d+)')


@dataclass(frozen=True, slots=True)
class Counted:
    """What a replica said of a prompt."""

    tokens: int
    max_model_len: int | None


class Counting:
    """Asks replicas, and remembers what they said."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S, most: int = MAX_REMEMBERED) -> None:
        self._timeout_s = timeout_s
        self._most = most
        self._remembered: OrderedDict[bytes, Counted] = OrderedDict()

    async def count(
        self, serving: Sequence[Replica], body: Mapping[str, Any], *, prefers: str | None = None
    ) -> Counted:
        """Return the size of the prompt that the body of a chat or completion makes; ask the replica `prefers` first.

        Raises:
            GatewayError: none of them could say; it is the last one's reason.
            ReplicaRefused: the prompt is none; the replica says why.
            ReplicasUnusable: none of them is healthy.
            RouteUnsupported: none of them counts tokens.
        """
        question = codec.dumps(_question(body))
        key = _key(serving, body["model"], question)
        counted = self._remembered.get(key)
        if counted is None:
            counted = self._remembered[key] = await self._ask(serving, question, prefers)
            if len(self._remembered) > self._most:
                self._remembered.popitem(last=False)
        else:
            self._remembered.move_to_end(key)
        return counted

    def forget(self, serving: Sequence[Replica], body: Mapping[str, Any]) -> None:
        """Forget the size of a prompt that turned out to be another."""
        self._remembered.pop(_key(serving, body["model"], codec.dumps(_question(body))), None)

    async def _ask(self, serving: Sequence[Replica], question: bytes, prefers: str | None) -> Counted:
        """Ask one replica after the other until one can say, each at most once."""
        usable = [replica for replica in serving if replica.is_usable]
        if not usable:
            raise ReplicasUnusable("No model server for this model is healthy. Try again in a moment.", retry_after_s=5)
        able = [replica for replica in usable if PATH not in replica.lacks]
        able.sort(key=lambda replica: (replica.name != prefers, replica.outstanding / replica.weight))
        failed = None
        for replica in able:
            told = await self._hear(replica, question)
            if isinstance(told, Counted):
                return told
            if not told.is_retryable:
                raise told.error
            if told.lacks_route:
                replica.lacks.add(PATH)
            else:
                failed = told.error
        raise failed or RouteUnsupported(
            "No model server of this model counts tokens (/tokenize), so conversations cannot be kept for it. Whoever "
            "runs the gateway can name the folder of the model's tokenizer in the upstreams' 'tokenizer_path'."
        )

    async def _hear(self, replica: Replica, question: bytes) -> Counted | Verdict:
        """Return what a replica says, or what to make of it that it does not."""
        try:
            async with asyncio.timeout(self._timeout_s):
                status, headers, told = await ask(replica, b"POST", PATH, question, max_bytes=MAX_ANSWER_BYTES)
        except TimeoutError:
            return Verdict(ReplicaSilent("The model server did not count tokens in time."), is_retryable=True)
        except ConnectionFault:
            return Verdict(ReplicaUnreachable("The model server cannot be reached."), is_retryable=True)
        if status != HTTPStatus.OK:
            return judge_own(status, headers, told, PATH)
        return _read(told) or Verdict(
            ReplicaFailed("The model server's count of tokens makes no sense."), is_retryable=True
        )


def _question(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `/tokenize` is asked; what only chats take by name it takes among the template's arguments."""
    asked = {"model": body["model"], **{name: body[name] for name in _TELLING if body.get(name) is not None}}
    given: dict[str, Any] = {}
    effort, documents = body.get("reasoning_effort"), body.get("documents")
    if effort is not None:
        given = {"enable_thinking": effort != "none"}
    if isinstance(arguments := body.get("chat_template_kwargs"), dict):
        given |= arguments
    given |= {name: told for name, told in (("reasoning_effort", effort), ("documents", documents)) if told is not None}
    return {**asked, "chat_template_kwargs": given} if given else asked


def _key(serving: Sequence[Replica], model: str, question: bytes) -> bytes:
    """Return what names a prompt as long as those who read it are the same: none was away, and none changed its model.

    `created` says nothing: vLLM writes the time of the look there.
    """
    them = sorted((replica.name, replica.route, replica.returns, _weights(replica, model)) for replica in serving)
    salt = hashlib.blake2b(repr(them).encode(), digest_size=16).digest()
    return hashlib.blake2b(question, digest_size=16, salt=salt).digest()


def _weights(replica: Replica, model: str) -> str:
    row = replica.models.get(model, {})
    return f"{row.get('root')} {row.get('max_model_len')}"


def _read(told: bytes) -> Counted | None:
    """Read the count without the token ids beside it."""
    count, length = _COUNT.search(told), _LENGTH.search(told)
    return None if count is None else Counted(int(count[1]), int(length[1]) if length else None)
