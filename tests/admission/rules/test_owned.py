"""Fields that may not be used."""

import pytest

from tests.admission.rules.bodies import understood
from vllm_gateway.admission.rules.owned import REFUSED, STRIPPED, Owned
from vllm_gateway.errors import FieldInvalid
from vllm_gateway.settings.admission import Rules

ROUTES = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/tokenize"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_field_that_reaches_deep_into_a_replica_is_refused(path: str, name: str) -> None:
    """S-12: on every route that reads it, unless it says nothing or is allowed."""
    values: list[object] = [True, "x", {"a": 1}, [1], 1]
    for value in values:
        asked = understood(path, **{name: value})
        with pytest.raises(FieldInvalid, match=f"'{name}' may not be used here") as refusal:
            Owned(Rules()).check(asked)
        assert refusal.value.param == name
        Owned(Rules(allow_fields=(name,))).check(asked)
    for nothing in (None, False):
        Owned(Rules()).check(understood(path, **{name: nothing}))


@pytest.mark.parametrize(
    ("name", "now"),
    [("guided_json", "json"), ("guided_regex", "regex"), ("guided_choice", "choice"), ("guided_grammar", "grammar")],
)
def test_names_that_vllm_has_removed_are_refused(name: str, now: str) -> None:
    """B-08: they would be ignored in silence; the refusal says what to write instead."""
    with pytest.raises(FieldInvalid, match=f"'{name}'.*'structured_outputs': {{'{now}'") as refusal:
        Owned(Rules(allow_fields=(name,))).check(understood(**{name: {}}))
    assert refusal.value.param == name


def test_a_template_takes_what_is_allowed() -> None:
    """S-12: the names that the settings list, with plain values."""
    for value in (True, "low", 7, 1.5, None):
        Owned(Rules()).check(understood(chat_template_kwargs={"enable_thinking": value}))
    Owned(Rules()).check(understood(chat_template_kwargs=None))
    Owned(Rules(chat_template_kwargs=("documents_style",))).check(
        understood(chat_template_kwargs={"documents_style": "x"})
    )


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"chat_template": "x"}, "chat_template_kwargs.chat_template"),
        ({"enable_thinking": True, "tokenize": True}, "chat_template_kwargs.tokenize"),
        ({"thinking": {"a": 1}}, "chat_template_kwargs.thinking"),
        ({"thinking": [1]}, "chat_template_kwargs.thinking"),
        ({"n" * 1000: 1}, "chat_template_kwargs." + "n" * 64),
        ([], "chat_template_kwargs"),
        ("x", "chat_template_kwargs"),
        (7, "chat_template_kwargs"),
    ],
)
def test_a_template_takes_nothing_else(arguments: object, param: str) -> None:
    """S-12: other names, and values that hold others."""
    with pytest.raises(FieldInvalid) as refusal:
        Owned(Rules()).check(understood(chat_template_kwargs=arguments))
    assert refusal.value.param == param


def test_a_template_may_take_nothing_at_all() -> None:
    """An empty list of names is one."""
    with pytest.raises(FieldInvalid, match="may hold nothing"):
        Owned(Rules(chat_template_kwargs=())).check(understood(chat_template_kwargs={"thinking": True}))


def test_all_else_passes() -> None:
    """Fields that are taken out are no reason to refuse, and of others there is no opinion."""
    Owned(Rules()).check(understood(**dict.fromkeys(STRIPPED, "x"), guided=1, return_token_ids=True, documents=[]))
