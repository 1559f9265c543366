"""The body for a replica: the caller's own bytes wherever nothing has to change."""

import hmac
import os
from typing import Any

from vllm_gateway import codec
from vllm_gateway.admission.members import edited
from vllm_gateway.admission.rules.billing import system_without_billing
from vllm_gateway.admission.rules.owned import STRIPPED
from vllm_gateway.callers import Caller
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.model import Settings

_REPLY_FIELDS = {
    "/v1/chat/completions": ("max_tokens", "max_completion_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
}
"""How each route calls the length of an answer; the first name is the one that is set."""
_SALTED = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"})
"""The routes whose prompts are cached, and may be cached apart."""
RANDOM_BYTES = 32
"""Of a secret that is made up."""


class Outgoing:
    """Writes bodies for replicas."""

    def __init__(self, settings: Settings, *, invented_secret: bytes = b"") -> None:
        """Write as the settings say; `invented_secret` takes the place of `tenant_secret` where there is none."""
        limits = settings.limits
        self._reply_tokens = _default_reply_tokens(limits.default_max_tokens, limits.max_tokens_cap)
        secret = settings.tenant_secret
        named = secret.get_secret_value().encode() if secret is not None else b""
        self._secret = named or invented_secret or os.urandom(RANDOM_BYTES)
        self._isolates = settings.isolate_prefix_cache

    def body(
        self,
        body: bytes,
        asked: Asked,
        model: str | None,
        caller: Caller,
        *,
        live: bool = False,
        token_ids: bool = False,
        priority: int | None = None,
    ) -> bytes:
        """Return what goes to a replica.

        Args:
            body: What is asked, in the replica's terms.
            asked: The same, understood.
            model: The model that answers.
            caller: Who asks.
            live: The stream is to tell its usage all the time.
            token_ids: The stream is to tell its token ids.
            priority: How urgent it is; lower comes first. None: the replica makes no difference.
        """
        changes: dict[str, Any] = {}
        if model is not None and model != asked.fields.get("model"):
            changes["model"] = model
        if live or asked.adds_usage:
            self._add_stream_options(changes, asked, live=live)
        if self._reply_tokens:
            self._add_reply_tokens(changes, asked)
        if self._isolates and asked.path in _SALTED:
            changes["cache_salt"] = self._salt(caller)
        if priority is not None:
            changes["priority"] = priority
        if token_ids:
            changes["return_token_ids"] = True
        if (system := system_without_billing(asked)) is not None:
            changes["system"] = system
        return _written(body, asked.fields, changes)

    def _add_stream_options(self, changes: dict[str, Any], asked: Asked, *, live: bool) -> None:
        """Ask for the usage at the end, and on the way only where that is taken out again."""
        options = asked.fields.get("stream_options")
        if options is not None and not isinstance(options, dict):
            return
        kept = {name: value for name, value in (options or {}).items() if name != "continuous_usage_stats"}
        wanted = kept | ({"include_usage": True, "continuous_usage_stats": True} if live else {"include_usage": True})
        if wanted != options:
            changes["stream_options"] = wanted

    def _add_reply_tokens(self, changes: dict[str, Any], asked: Asked) -> None:
        names = _REPLY_FIELDS.get(asked.path)
        if names is not None and all(asked.fields.get(name) is None for name in names):
            changes[names[0]] = self._reply_tokens

    def _salt(self, caller: Caller) -> str:
        return hmac.digest(self._secret, caller.id.encode(), "sha256").hex()


def _default_reply_tokens(default: int, cap: int) -> int:
    """Return how long an answer may be when nothing is said of it; 0: as long as the replica lets it be."""
    return min(default, cap) if default and cap else default or cap


def _written(body: bytes, fields: dict[str, Any], changes: dict[str, Any]) -> bytes:
    """Write the changes into the body, in the cheapest way that leaves the rest of it as it is."""
    if not STRIPPED.isdisjoint(fields):
        return edited(body, changes=changes, without=STRIPPED)
    if not changes:
        return body
    if fields and fields.keys().isdisjoint(changes):  # members are only added, as mostly
        return body.rstrip()[:-1] + b"," + codec.dumps(changes)[1:]
    return edited(body, changes=changes)
