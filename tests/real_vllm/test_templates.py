"""Chat templates are rendered as vLLM and `transformers` render them, from what vLLM makes of a conversation."""

import subprocess
from pathlib import Path
from typing import Any

from tests.real_vllm.fleet import REPLICA_ENVIRONMENT, environment_folder
from vllm_gateway import codec
from vllm_gateway.sessions.template import ChatTemplate, TemplateRefused
from vllm_gateway.sessions.template_input import is_plain, takes_parts, variables

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
FAMILIES = [
    # As many templates of the Qwen family: tools in the system prompt, calls and what tools said in tags.
    """{%- if tools %}{{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
    {%- for tool in tools %}{{- tool | tojson }}{{- "\\n" }}{%- endfor %}{{- '<|im_end|>\\n' }}
{%- elif messages[0]['role'] == 'system' %}{{- '<|im_start|>system\\n' ~ messages[0].content ~ '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(last=0) %}
{%- for m in messages[::-1] %}{%- if m.role == 'user' and not ns.last %}{%- set ns.last = loop.index %}{%- endif %}
{%- endfor %}
{%- for m in messages %}
    {%- if m.role == 'assistant' and '</think>' in m.content %}
        {{- '<|im_start|>assistant\\n' + m.content.split('</think>')[-1].lstrip('\\n') }}
    {%- elif m.role == 'tool' %}
        {{- '<|im_start|>user\\n<tool_response>\\n' ~ m.content ~ '\\n</tool_response>' }}
    {%- elif not loop.first or m.role != 'system' %}
        {{- '<|im_start|>' + m.role + '\\n' + m.content }}
    {%- endif %}
    {%- for call in m.tool_calls or [] %}
        {{- '\\n<tool_call>\\n{"name": "' ~ call.function.name ~ '", "arguments": ' }}
        {{- call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}
    {%- endfor %}{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}{{ ns.last }}
""",
    # As those of the Llama family: headers, a date, trimmed content, tools as indented JSON.
    """{{- bos_token }}{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}{%- else %}{%- set system_message = "" %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: " + date_string + "\\n\\n" + system_message }}
{%- for t in tools or [] %}{{- t | tojson(indent=4) }}{%- endfor %}{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if message.role == "tool" %}{{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}
        {%- else %}{{- message.content }}{%- endif %}
    {%- else %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] | trim }}
    {%- endif %}{{- "<|eot_id|>" }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
""",
    # As those of the Mistral and Gemma families: the system prompt goes into a question, and roles must alternate.
    """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set opening = messages[0]['content'] + '\\n\\n' %}
{% set loop_messages = messages[1:] %}{% else %}{% set opening = '' %}{% set loop_messages = messages %}{% endif %}
{% for message in loop_messages %}
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}
{% if message.role == 'user' %}{{ '[INST] ' + (opening if loop.last else '') + message.content + ' [/INST]' }}
{% else %}{% generation %}{{ ' ' + message['content'] | trim + eos_token }}{% endgeneration %}{% endif %}{% endfor %}
""",
    # As those of models that see: content comes in parts.
    """{% macro shown(content) %}{% if content is string %}{{ content }}{% else %}{% for item in content %}
{% if item.type == 'text' %}{{ item.text }}{% else %}<image>{% endif %}{% endfor %}{% endif %}{% endmacro %}
{% for message in messages %}<{{ message.role }}>{{ shown(message.content) }}</{{ message.role }}>
{% endfor %}{{ messages | tojson }}{{ tools | tojson }}{{ reasoning_effort }}{{ enable_thinking }}""",
    "{% for message in messages %}{{ message | tojson }}|{% endfor %}{{ tools | tojson }}{{ documents }}",
]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The <weather> & more, 天気",
            "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["é", "b"]}}},
        },
    },
    {"type": "function", "function": {"strict": True, "name": "now"}},
]
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "é", "n": 1.5}'}}
ODD_CALL = {"type": "function", "index": 0, "id": "call_2", "function": {"name": "now", "arguments": ""}}


def user(content: object, **more: object) -> dict[str, Any]:
    """Return a user's message."""
    return {"role": "user", "content": content, **more}


def assistant(content: object, **more: object) -> dict[str, Any]:
    """Return a model's message."""
    return {"role": "assistant", "content": content, **more}


SYSTEM = {"role": "system", "content": ' Be <b>nice</b> & "short". \n'}
RESULT = {"role": "tool", "tool_call_id": "call_1"}
TOOL_TURN = [user("Rain?"), assistant(None, tool_calls=[CALL, ODD_CALL])]
BODIES: list[dict[str, Any]] = [
    {"messages": [user("Hi")]},
    {"messages": [SYSTEM, user("  Hi é 你好 \U0001f44d\U0001f3fd\n"), assistant(" Yes.\n"), user("")]},
    {"messages": [user([{"type": "text", "text": part} for part in ("a", "", "b\n")]), assistant(""), user("c")]},
    {"messages": [user("a"), assistant("<think>\nwhy\n</think>\n\nb"), user("{{ c }}")], "reasoning_effort": "low"},
    {"messages": [user("a", name="Ann", odd=1), assistant("b", reasoning="why", tool_calls=[]), user("c")]},
    {"messages": [SYSTEM, user("a")], "chat_template_kwargs": {"enable_thinking": False, "date_string": "today"}},
    {"messages": [user("a")], "add_generation_prompt": False, "documents": [{"title": "t", "text": "d"}]},
    {"messages": [SYSTEM, user("Rain?")], "tools": TOOLS},
    {"messages": [*TOOL_TURN, {**RESULT, "content": "12 °C"}, assistant("No."), user("Ah")], "tools": TOOLS},
    {"messages": [*TOOL_TURN, {**RESULT, "content": [{"type": "text", "text": part} for part in ("1", "", "2")]}]},
    {"messages": [user("a"), user("b")]},
]

VLLM = """
import json, sys, types
import vllm.renderers.hf as hf
from transformers import AutoTokenizer
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.renderers.chat_utils import parse_chat_messages

known = json.load(open(sys.argv[1]))
tokenizer = AutoTokenizer.from_pretrained("model")
config = types.SimpleNamespace(multimodal_config=None, enable_prompt_embeds=False, is_multimodal_model=False)

def prompt(template, body, form):
    request = ChatCompletionRequest(model="m", **json.loads(json.dumps(body)))
    tools = None if request.tools is None else [tool.model_dump() for tool in request.tools]
    asked = request.build_chat_params(None, "auto").with_defaults({"tools": tools}).get_apply_chat_template_kwargs()
    conversation, *_ = parse_chat_messages(request.messages, config, content_format=form)
    given = {name: asked[name] for name in asked.keys() - {"chat_template", "tokenize", "tools"}}
    given = hf.resolve_chat_template_kwargs(tokenizer, template, given)
    try:
        return tokenizer.apply_chat_template(
            conversation, tools=tools, chat_template=template, tokenize=False, **given
        )
    except Exception:
        return None

found = []
for template in known["templates"]:
    form = hf._detect_content_format(template, default="string")
    found.append([form == "openai", [prompt(template, body, form) for body in known["bodies"]]])
json.dump(found, open(sys.argv[2], "w"))
"""


def rendered_by_vllm(folder: Path, templates: list[str]) -> list[tuple[bool, list[str | None]]]:
    """Return for each template whether it takes parts, and the prompts; None where it fails."""
    (folder / "known.json").write_bytes(codec.dumps({"templates": templates, "bodies": BODIES}))
    root = environment_folder()
    subprocess.run(
        [root / "env/bin/python", "-W", "ignore", "-c", VLLM, folder / "known.json", folder / "found.json"],
        check=True,
        capture_output=True,
        cwd=root,
        env={**REPLICA_ENVIRONMENT, "HOME": str(root)},
    )
    found: list[tuple[bool, list[str | None]]] = codec.loads((folder / "found.json").read_bytes())
    return found


def rendered_here(template: str, body: dict[str, Any]) -> str | None:
    """Return the prompt; None where the template fails."""
    assert is_plain(body)
    try:
        known = variables(body, takes_parts=takes_parts(template))
        return ChatTemplate(template).render({**SPECIAL, **known})
    except TemplateRefused:
        return None


def test_prompts_are_vllms(tmp_path: Path) -> None:
    """Templates of all families, and those that come with vLLM, get the same and make the same of it."""
    packaged = sorted((environment_folder() / "env").glob("lib/*/site-packages/vllm/**/chat_templates/*.jinja"))
    templates = [*FAMILIES, *(file.read_text() for file in packaged)]
    assert len(templates) > len(FAMILIES)
    theirs = rendered_by_vllm(tmp_path, templates)
    prompts = [prompt for _, found in theirs for prompt in found]
    assert len([prompt for prompt in prompts if prompt is not None]) > 0.7 * len(prompts)
    for template, (is_split, found) in zip(templates, theirs, strict=True):
        assert takes_parts(template) is is_split
        assert [rendered_here(template, body) for body in BODIES] == found
