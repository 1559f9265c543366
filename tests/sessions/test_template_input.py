"""What templates get to know is what vLLM lets them know."""

from typing import Any

import pytest

from vllm_gateway.sessions.template_input import is_plain, takes_parts, variables

Fields = dict[str, Any]

LOOP = "{% for message in messages %}"
END = "{% endfor %}"
SHOW = "{% for part in content %}{{ part.text }}{% endfor %}{% endmacro %}"
PARTS = "{% for part in message['content'] %}{{ part.text }}{% endfor %}"


def seen(*messages: Fields, takes_parts: bool = False, **more: object) -> list[Fields]:
    """Return messages as a template sees them."""
    known: list[Fields] = variables({"messages": list(messages), **more}, takes_parts=takes_parts)["messages"]
    return known


# The right sides are vLLM's own judgement.
@pytest.mark.parametrize(
    ("template", "is_split"),
    [
        (LOOP + "{{ message.content }}" + END, False),
        (LOOP + PARTS + END, True),
        ("{%- for m in messages -%}{%- for part in m.content | list -%}{%- endfor -%}{%- endfor -%}", True),
        ("{% set rest = messages[1:] %}{% for m in rest %}{% for p in m.content %}{% endfor %}{% endfor %}", True),
        ("{% set a = messages %}{% set b = a %}{% for m in b %}{% for p in m.content %}{% endfor %}{% endfor %}", True),
        ("{% for m in messages if m.role %}{% for p in m.content if p %}{% endfor %}{% endfor %}", True),
        (LOOP + "{% set content = message.content %}{% for part in content %}{% endfor %}" + END, True),
        (LOOP + "{% for word in message.content.split(' ') %}{% endfor %}" + END, False),
        (LOOP + "{% for call in message.tool_calls %}{% endfor %}" + END, False),
        ("{% for part in other.content %}{% endfor %}", False),
        ("{% set one = messages[0] %}{% for part in one.content %}{% endfor %}", False),
        ("{% macro f(content, n=1) %}" + SHOW + LOOP + "{{ f(message.content) }}" + END, True),
        ("{% macro f(n, content) %}" + SHOW + LOOP + "{{ f(1, content=message['content']) }}" + END, True),
        ("{% macro f(content) %}" + SHOW + LOOP + "{{ f(message.name) }}" + END, False),
    ],
)
def test_templates_that_look_into_a_message_get_its_parts(template: str, *, is_split: bool) -> None:
    """A loop over the content of a message decides, wherever it stands."""
    assert takes_parts(template) is is_split


@pytest.mark.parametrize(
    ("content", "text", "parts"),
    [
        ("Hi", "Hi", ["Hi"]),
        ("", "", [""]),
        (None, "", []),
        ([], "", []),
        ([{"type": "text", "text": text} for text in ("a", "", "b")], "a\nb", ["a", "", "b"]),
    ],
)
def test_content_is_text_or_parts(content: object, text: str, parts: list[str]) -> None:
    """Whatever the caller sent, a template always gets the one form that it takes; what tools say is always text."""
    user, tool = {"role": "user", "content": content}, {"role": "tool", "content": content, "tool_call_id": "x"}
    assert seen(user) == [{"role": "user", "content": text}]
    assert seen(user, takes_parts=True)[0]["content"] == [{"type": "text", "text": part} for part in parts]
    assert seen(tool)[0] == {"role": "tool", "content": text, "tool_call_id": "x"}
    assert seen(tool, takes_parts=True)[0]["content"] == "\n".join(parts)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ('{"b": 1, "a": [true]}', {"b": 1, "a": [True]}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        ("{", {}),
        ("[]", {}),
        (None, {}),
    ],
)
def test_tool_calls_carry_their_arguments_as_objects(arguments: object, shown: Fields) -> None:
    """What is no object becomes an empty one, and the fields stand in vLLM's order."""
    call = {"type": "function", "id": "x", "function": {"name": "f", "arguments": arguments, "more": 1}, "index": 0}
    message = seen({"role": "assistant", "content": None, "tool_calls": [call]})[0]
    assert message["tool_calls"] == [
        {"id": "x", "type": "function", "index": 0, "function": {"arguments": shown, "name": "f", "more": 1}}
    ]
    assert list(message["tool_calls"][0]) == ["id", "function", "type", "index"]
    assert list(message["tool_calls"][0]["function"]) == ["arguments", "name", "more"]


def test_fields_that_vllm_does_not_hand_on_are_not_seen() -> None:
    """Names and reasoning are; empty lists of calls and strange fields are not."""
    messages = seen(
        {"role": "user", "content": "a", "name": "Ann", "strange": 1},
        {"role": "assistant", "content": "b", "tool_calls": [], "refusal": None, "reasoning": "why"},
    )
    assert messages == [
        {"role": "user", "content": "a", "name": "Ann"},
        {"role": "assistant", "content": "b", "reasoning": "why", "reasoning_content": "why"},
    ]


def test_tools_have_the_fields_and_the_order_of_vllm() -> None:
    """A description that is missing is there as none."""
    body = {"messages": [], "tools": [{"function": {"strict": True, "odd": 1, "name": "f"}, "type": "function"}]}
    tools = variables(body, takes_parts=False)["tools"]
    assert tools == [
        {"type": "function", "function": {"name": "f", "description": None, "parameters": None, "strict": True}}
    ]
    assert list(tools[0]["function"]) == ["name", "description", "parameters", "strict"]


def test_the_templates_arguments_come_from_the_body() -> None:
    """A chat begins an answer unless it says otherwise; effort turns thinking on unless the caller says otherwise."""
    plain = variables({"messages": []}, takes_parts=False)
    assert plain == {"messages": [], "tools": None, "documents": None, "add_generation_prompt": True}
    given = {"messages": [], "chat_template_kwargs": {"a": 1, "reasoning_effort": "high"}, "reasoning_effort": "low"}
    asked = variables(given | {"add_generation_prompt": False}, takes_parts=False)
    assert asked == plain | {
        "a": 1,
        "reasoning_effort": "low",
        "enable_thinking": True,
        "add_generation_prompt": False,
    }
    off = {"messages": [], "chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "none"}
    assert variables(off, takes_parts=False)["enable_thinking"] is True


@pytest.mark.parametrize(
    ("more", "message", "is_text"),
    [
        ({}, {"role": "user", "content": "a"}, True),
        ({}, {"role": "tool", "content": [{"type": "text", "text": "a"}]}, True),
        ({}, {"role": "assistant", "content": None}, True),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"role": "user", "content": "a"}, True),
        ({}, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}, False),
        ({}, {"role": "user", "content": [{"type": "text", "text": None}]}, False),
        ({}, {"role": "user", "content": 5}, False),
        ({}, {"role": "developer", "content": "a"}, False),
        ({}, {"role": "assistant", "content": "a", "reasoning_content": "b"}, False),
        ({"tools": [5]}, {"role": "user", "content": "a"}, False),
        ({"tools": 5}, {"role": "user", "content": "a"}, False),
        ({"tools": 0}, {"role": "user", "content": "a"}, False),
        ({"tools": {"type": "function"}}, {"role": "user", "content": "a"}, False),
        ({"chat_template_kwargs": "abc"}, {"role": "user", "content": "a"}, False),
        ({"chat_template_kwargs": [1]}, {"role": "user", "content": "a"}, False),
        ({"chat_template_kwargs": {"a": 1}}, {"role": "user", "content": "a"}, True),
        ({}, {"role": "user", "content": [{"type": ["text"], "text": "x"}]}, False),
        ({}, {"role": ["user"], "content": "a"}, False),
        ({}, {"role": "assistant", "content": "a", "tool_calls": ["a"]}, False),
        ({}, {"role": "assistant", "content": "a", "tool_calls": 5}, False),
        ({}, {"role": "assistant", "content": "a", "tool_calls": [{"function": "s"}]}, False),
        ({}, {"role": "assistant", "content": "a", "tool_calls": [{"function": {"name": "f"}}]}, True),
        ({"chat_template": "x"}, {"role": "user", "content": "a"}, False),
        ({"continue_final_message": True}, {"role": "assistant", "content": "a"}, False),
    ],
)
def test_what_only_the_replica_can_count_is_recognised(more: Fields, message: Fields, *, is_text: bool) -> None:
    """Images, roles that vLLM rewrites, templates of the caller's own, and what is not of its kind."""
    body = {"messages": [message], **more}
    assert is_plain(body) is is_text
    if is_text:
        assert variables(body, takes_parts=True)["messages"]
