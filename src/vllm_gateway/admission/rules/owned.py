"""What the gateway owns in a body: fields that never reach a replica, and fields that must be allowed."""

from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.admission import Rules

STRIPPED = frozenset(
    {
        "kv_transfer_params",
        "ec_transfer_params",
        "priority",
        "request_id",
        "session_id",
        "vllm_xargs",
        "cache_salt",
        "trace_decode_token_ids",
        "modelKey",
    }
)
"""Fields that steer the replica's inside and say nothing of the answer. The first two can replace the rendered prompt
or name hosts to the engine (vLLM PR #51137), `priority` jumps the queue, `cache_salt` would let a caller into the
prefix cache of another, `modelKey` names a route of the gateway's."""

REFUSED = frozenset(
    {
        "chat_template",
        "mm_processor_kwargs",
        "media_io_kwargs",
        "prompt_embeds",
        "logits_processors",
        "use_beam_search",
    }
)
"""Fields that run code, read tensors or cost much more than they look like; refused unless they are allowed. To take
them out in silence would change the answer."""

_REPLACED = {
    "guided_json": "json",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
}
"""Names that vLLM has removed, and what they are called inside `structured_outputs` now. vLLM accepts unknown fields in
silence, so the answer would come unconstrained."""

_TEMPLATE_VALUES = (str, bool, int, float, type(None))


class Owned:
    """Refuses fields that may not be used."""

    def __init__(self, rules: Rules) -> None:
        self._refused = REFUSED.difference(rules.allow_fields)
        self._looked_at = self._refused | _REPLACED.keys() | {"chat_template_kwargs"}
        self._template_names = frozenset(rules.chat_template_kwargs)

    def check(self, asked: Asked) -> None:
        """Refuse what may not be used, and what a replica would silently ignore.

        Raises:
            FieldInvalid: the body has such a field.
        """
        fields = asked.fields
        if self._looked_at.isdisjoint(fields):
            return
        for name in fields:
            if name in _REPLACED:
                now = _REPLACED[name]
                raise FieldInvalid(
                    f"'{name}' is no longer understood by vLLM; use 'structured_outputs': {{'{now}': ...}}.", param=name
                )
            if name in self._refused and fields[name] not in (None, False):
                raise FieldInvalid(f"'{name}' may not be used here. Leave it out.", param=name)
        self._check_template(fields.get("chat_template_kwargs"))

    def _check_template(self, arguments: object) -> None:
        """Refuse what would reach deep into the template."""
        if arguments is None:
            return
        if not isinstance(arguments, dict):
            raise FieldInvalid("'chat_template_kwargs' must be an object.", param="chat_template_kwargs")
        for name, value in arguments.items():
            param = f"chat_template_kwargs.{name[:64]}"
            if name not in self._template_names:
                allowed = ", ".join(sorted(self._template_names)) or "nothing"
                raise FieldInvalid(f"'chat_template_kwargs' may hold {allowed}.", param=param)
            if not isinstance(value, _TEMPLATE_VALUES):
                raise FieldInvalid(f"'{param}' must be a text, a number, true or false.", param=param)
