"""Libraries and curl: a program that works as it is."""

from vllm_gateway import codec
from vllm_gateway.connect.place import Place
from vllm_gateway.connect.snippet import Snippet, quoted, shell

QUESTION = "Say hello."


def openai(place: Place) -> Snippet:
    """Return a program with OpenAI's library for Python."""
    text = f"""\
import os

from openai import OpenAI

client = OpenAI(base_url={quoted(place.v1)}, api_key=os.environ.get({quoted(place.key_variable)}, "none"))
stream = client.chat.completions.create(
    model={quoted(place.model)},
    messages=[{{"role": "user", "content": {quoted(QUESTION)}}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
"""
    return Snippet(text, "OpenAI's library for Python (pip install openai)")


def anthropic(place: Place) -> Snippet:
    """Return a program with Anthropic's library for Python."""
    text = f"""\
import os

from anthropic import Anthropic

client = Anthropic(base_url={quoted(place.url)}, api_key=os.environ.get({quoted(place.key_variable)}, "none"))
message = client.messages.create(
    model={quoted(place.model)},
    max_tokens=256,
    messages=[{{"role": "user", "content": {quoted(QUESTION)}}}],
)
print(message.content[0].text)
"""
    return Snippet(text, "Anthropic's library for Python (pip install anthropic)")


def langchain(place: Place) -> Snippet:
    """Return a program with LangChain, which asks for no usage of a stream unless it is told to."""
    text = f"""\
import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model={quoted(place.model)},
    base_url={quoted(place.v1)},
    api_key=os.environ.get({quoted(place.key_variable)}, "none"),
    stream_usage=True,
)
for chunk in model.stream({quoted(QUESTION)}):
    print(chunk.text, end="", flush=True)
print()
"""
    return Snippet(text, "LangChain for Python (pip install langchain-openai)")


def vercel_ai(place: Place) -> Snippet:
    """Return a program with the AI SDK."""
    text = f"""\
import {{ createOpenAICompatible }} from "@ai-sdk/openai-compatible";
import {{ streamText }} from "ai";

const gateway = createOpenAICompatible({{
  name: "vllm-gateway",
  baseURL: {quoted(place.v1)},
  apiKey: process.env.{place.key_variable},
  includeUsage: true,
}});

const answer = streamText({{ model: gateway({quoted(place.model)}), prompt: {quoted(QUESTION)} }});
for await (const text of answer.textStream) process.stdout.write(text);
"""
    return Snippet(text, "Vercel AI SDK (npm install ai @ai-sdk/openai-compatible)")


def curl(place: Place) -> Snippet:
    """Return a command."""
    body = {"model": place.model, "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    text = (
        f"curl --no-buffer {shell(place.v1 + '/chat/completions')} \\\n"
        f'  -H "Authorization: Bearer ${{{place.key_variable}:-none}}" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shell(codec.dumps(body).decode())}\n"
    )
    return Snippet(text, "curl")
