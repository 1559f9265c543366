"""Bounds on single fields: numbers, words and lists that would cost a replica more than one request may.

What is no number where one must be is refused as well, because a bound on it could not be held. All else that may be
wrong with a body is the replica's to judge.
"""

from collections.abc import Callable

from vllm_gateway.errors import FieldInvalid
from vllm_gateway.exchange import Asked
from vllm_gateway.settings.admission import Limits, Rules

Check = Callable[[str, object], None]
"""Raises `FieldInvalid` for a field, given by its name, whose value is out of bounds."""

MAX_TOKENS = 1_000_000_000
"""Highest `max_tokens` where the settings set no limit."""

_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "min_tokens")
_TOKEN_LISTS = ("allowed_token_ids", "stop_token_ids", "logprob_token_ids")
_TEXT_LISTS = ("prompt", "input", "queries", "documents", "text_1", "text_2", "data_1", "data_2", "items")


class Fields:
    """Holds the fields of a body to their bounds."""

    def __init__(self, rules: Rules, limits: Limits) -> None:
        self._usual = _usual(rules, limits)
        self._special = {
            "/v1/completions": self._usual | {"logprobs": _whole(0, rules.max_logprobs)},
            "/v1/responses": self._usual | {"input": _at_most(rules.max_messages, list, str)},
        }
        """Of the routes that mean something else by a name."""

    def check(self, asked: Asked) -> None:
        """Refuse a field that is out of bounds.

        Raises:
            FieldInvalid: one is; the sentence tells the bound.
        """
        checks = self._special.get(asked.path, self._usual)
        for name, value in asked.fields.items():
            if name in checks and value is not None:
                checks[name](name, value)
        if asked.saying is not None:
            checks["messages"]("messages", asked.saying.messages)


def _usual(rules: Rules, limits: Limits) -> dict[str, Check]:
    tokens = _whole(0, limits.max_tokens_cap or MAX_TOKENS)
    logprobs = _whole(0, rules.max_logprobs)
    token_list = _at_most(rules.max_logit_bias, list)
    return {
        "n": _choices(rules.max_choices),
        "best_of": _whole(1, rules.max_choices),
        "logprobs": _true_or_false,
        "top_logprobs": logprobs,
        "prompt_logprobs": logprobs,
        "stop": _words(rules, may_be_one=True),
        "stop_sequences": _words(rules, may_be_one=False),
        "bad_words": _words(rules, may_be_one=False),
        "messages": _at_most(rules.max_messages, list),
        "tools": _at_most(rules.max_tools, list),
        "logit_bias": _at_most(rules.max_logit_bias, dict),
        **dict.fromkeys(_TOKENS, tokens),
        **dict.fromkeys(_TOKEN_LISTS, token_list),
        **dict.fromkeys(_TEXT_LISTS, _texts(rules.max_prompts)),
    }


def _whole(least: int, most: int) -> Check:
    """Take whole numbers; 1.0 is one, as it is for vLLM."""

    def check(name: str, value: object) -> None:
        if (type(value) is not int and not (type(value) is float and value.is_integer())) or not least <= value <= most:
            raise FieldInvalid(f"'{name}' must be a whole number from {least} to {most}.", param=name)

    return check


def _choices(most: int) -> Check:
    """Take whole numbers; how many answers come must be known here as well, so no fraction stands for several."""
    whole = _whole(1, most)

    def check(name: str, value: object) -> None:
        whole(name, value)
        if type(value) is float and value != 1:
            raise FieldInvalid(f"'{name}' must be written without a point.", param=name)

    return check


def _true_or_false(name: str, value: object) -> None:
    if value not in (True, False):
        raise FieldInvalid(f"'{name}' must be true or false.", param=name)


def _words(rules: Rules, *, may_be_one: bool) -> Check:
    most, longest = rules.max_stops, rules.max_stop_characters

    def check(name: str, value: object) -> None:
        words = [value] if may_be_one and isinstance(value, str) else value
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise FieldInvalid(f"'{name}' must be a list of texts.", param=name)
        if len(words) > most:
            raise FieldInvalid(f"'{name}' may have {most} texts at most.", param=name)
        if any(len(word) > longest for word in words):
            raise FieldInvalid(f"'{name}' may have {longest} characters in a text at most.", param=name)

    return check


def _at_most(most: int, *kinds: type[list[object]] | type[dict[str, object]] | type[str]) -> Check:
    """Take a list or an object of so many entries, or a text where one may stand instead."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, kinds):
            raise FieldInvalid(f"'{name}' must be {' or '.join(_NAMES[kind] for kind in kinds)}.", param=name)
        if len(value) > most and not isinstance(value, str):
            raise FieldInvalid(f"'{name}' may have {most} entries at most.", param=name)

    return check


_NAMES: dict[type, str] = {list: "a list", dict: "an object", str: "a text"}


def _texts(most: int) -> Check:
    """Take one text, its tokens, or a list of either; of what has another form the replica is the judge."""

    def check(name: str, value: object) -> None:
        if isinstance(value, dict):
            value = value.get("content")
        if isinstance(value, list) and len(value) > most and type(value[0]) is not int:
            raise FieldInvalid(f"'{name}' may have {most} entries at most.", param=name)

    return check
