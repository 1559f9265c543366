"""The calls that `record_vllm.py` makes: short prompts and few tokens, one case each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from vllm_gateway import codec

JSON = {"content-type": "application/json"}
CUT_CHARACTER = [76, 132, 107, 225, 177, 258]
"""Token ids of "hé " and of the first two bytes of an emoji: vLLM then streams the whole prompt as its first text."""
CHAT, COMPLETIONS, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"


@dataclass(frozen=True)
class Call:
    """One request to one of the two replicas, `generate` or `embed`."""

    name: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    replica: str = "generate"


def post(name: str, path: str, body: dict[str, Any], replica: str = "generate") -> Call:
    """Return a call with a JSON body."""
    return Call(name, "POST", path, JSON, codec.dumps(body).decode(), replica)


def chat(name: str, **fields: Any) -> Call:  # noqa: ANN401 - JSON is any of its types
    """Return a chat call; `fields` are added to, or put in place of, a small valid body."""
    messages = [{"role": "user", "content": "Hello"}]
    small: dict[str, Any] = {"model": "tiny-llama", "messages": messages, "max_tokens": 8, "temperature": 0}
    return post(name, CHAT, {**small, **fields})


def completion(name: str, **fields: Any) -> Call:  # noqa: ANN401 - JSON is any of its types
    """Return a completion call, made as `chat` makes its own."""
    small: dict[str, Any] = {"model": "tiny-llama", "prompt": "The object is", "max_tokens": 8, "temperature": 0}
    return post(name, COMPLETIONS, {**small, **fields})


def message(name: str, **fields: Any) -> Call:  # noqa: ANN401 - JSON is any of its types
    """Return an Anthropic message call, made as `chat` makes its own."""
    messages = [{"role": "user", "content": "Hello"}]
    small: dict[str, Any] = {"model": "tiny-llama", "messages": messages, "max_tokens": 8, "temperature": 0}
    return post(name, MESSAGES, {**small, **fields})


def chat_calls() -> Iterator[Call]:
    """Chat: each option that changes the shape of the reply, plain and streamed."""
    usage, every = {"include_usage": True}, {"include_usage": True, "continuous_usage_stats": True}
    yield chat("chat")
    yield chat("chat_stream", stream=True)
    yield chat("chat_stream_usage", stream=True, stream_options=usage)
    yield chat("chat_stream_usage_every_chunk", stream=True, stream_options=every)
    yield chat("chat_n2", n=2, temperature=1, seed=7)
    yield chat("chat_n2_stream", n=2, temperature=1, seed=7, stream=True, stream_options=usage)
    yield chat("chat_stop", stop=["e"], max_tokens=16)
    yield chat("chat_stop_stream", stop=["e"], max_tokens=16, stream=True)
    yield chat("chat_one_token", max_tokens=1)
    yield chat("chat_one_token_stream", max_tokens=1, stream=True)
    yield chat("chat_logprobs", logprobs=True, top_logprobs=2, max_tokens=3)
    yield chat("chat_logprobs_stream", logprobs=True, top_logprobs=2, max_tokens=3, stream=True)
    yield chat("chat_token_ids", return_token_ids=True)
    yield chat("chat_token_ids_stream", return_token_ids=True, stream=True, stream_options=usage)
    yield chat("chat_seed", seed=42, temperature=1)
    yield chat("chat_system", messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    yield chat("chat_content_parts", messages=[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}])
    yield chat("chat_no_max_tokens", max_tokens=None, max_completion_tokens=4)
    yield chat("chat_request_id_body", request_id="a-request-of-mine")
    yield chat("chat_unknown_field", no_such_field={"kept": True}, max_tokens=2)
    yield Call("chat_request_id_header", "POST", CHAT, {**JSON, "x-request-id": "trace-0123456789"}, chat("").body)
    yield Call("chat_no_content_type", "POST", CHAT, {}, chat("", max_tokens=2).body)


def chat_refusals() -> Iterator[Call]:
    """Chat: what vLLM refuses, and how."""
    yield chat("chat_wrong_model", model="nope")
    yield chat("chat_wrong_model_stream", model="nope", stream=True)
    yield Call("chat_malformed_json", "POST", CHAT, JSON, '{"model": "tiny-llama", "messages": [')
    yield Call("chat_empty_body", "POST", CHAT, JSON, "")
    yield Call("chat_body_is_list", "POST", CHAT, JSON, "[]")
    yield Call("chat_text_plain", "POST", CHAT, {"content-type": "text/plain"}, chat("").body)
    yield Call("chat_wrong_method", "GET", CHAT)
    yield chat("chat_wrong_type", max_tokens="many")
    yield chat("chat_negative_max_tokens", max_tokens=-1)
    yield chat("chat_zero_max_tokens", max_tokens=0)
    yield chat("chat_max_tokens_over_context", max_tokens=5000)
    yield chat("chat_prompt_over_context", messages=[{"role": "user", "content": "a b " * 2200}])
    yield chat("chat_empty_messages", messages=[])
    yield chat("chat_temperature_below_zero", temperature=-1)
    yield chat("chat_stream_options_without_stream", stream_options={"include_usage": True})
    yield chat("chat_unknown_role", messages=[{"role": "wizard", "content": "Hello"}])
    yield chat("chat_no_messages", messages=None)
    yield chat("chat_bad_tool_choice", tools=[{"type": "function", "function": {"name": "f"}}], tool_choice="auto")


def completion_calls() -> Iterator[Call]:
    """Completions: every kind of prompt."""
    usage = {"include_usage": True}
    yield completion("completion")
    yield completion("completion_stream", stream=True)
    yield completion("completion_stream_usage", stream=True, stream_options=usage)
    yield completion("completion_token_ids_prompt", prompt=[300, 301, 302])
    yield completion("completion_token_ids", prompt=[300, 301, 302], return_token_ids=True)
    yield completion("completion_token_ids_stream", prompt=[300, 301, 302], return_token_ids=True, stream=True)
    yield completion("completion_two_prompts", prompt=["The object is", "A class"], max_tokens=4)
    yield completion("completion_two_prompts_stream", prompt=["The object is", "A class"], max_tokens=4, stream=True)
    yield completion("completion_echo", echo=True, max_tokens=4)
    yield completion("completion_echo_stream", echo=True, max_tokens=4, stream=True)
    yield completion("completion_logprobs", logprobs=2, max_tokens=3)
    yield completion("completion_one_token_stream", max_tokens=1, stream=True)
    yield completion("completion_cut_character_stream", prompt=CUT_CHARACTER, return_token_ids=True, stream=True)
    yield completion("completion_wrong_model", model="nope")
    yield completion("completion_empty_prompt", prompt="")
    yield completion("completion_no_prompt", prompt=None)
    yield completion("completion_token_id_out_of_range", prompt=[999_999])


def embedding_calls() -> Iterator[Call]:
    """Embeddings, reranking and scores, asked of both kinds of replica."""
    one = {"model": "tiny-embed", "input": "Hello"}
    rerank = {"model": "tiny-embed", "query": "Hello", "documents": ["Hello there", "A class"]}
    score = {"model": "tiny-embed", "text_1": "Hello", "text_2": ["Hello there", "A class"]}
    yield post("embedding", "/v1/embeddings", one, "embed")
    yield post("embedding_base64", "/v1/embeddings", {**one, "encoding_format": "base64"}, "embed")
    yield post("embedding_list", "/v1/embeddings", {**one, "input": ["Hello", "A class"]}, "embed")
    yield post("embedding_token_ids", "/v1/embeddings", {**one, "input": [300, 301]}, "embed")
    yield post("embedding_dimensions", "/v1/embeddings", {**one, "dimensions": 8}, "embed")
    yield post("embedding_wrong_model", "/v1/embeddings", {**one, "model": "nope"}, "embed")
    yield post("embedding_empty_input", "/v1/embeddings", {**one, "input": []}, "embed")
    yield post("embedding_on_generate_replica", "/v1/embeddings", {**one, "model": "tiny-llama"})
    yield Call("chat_on_embed_replica", "POST", CHAT, JSON, chat("", model="tiny-embed").body, "embed")
    for name, path, body in (("rerank", "/v1/rerank", rerank), ("score", "/v1/score", score)):
        yield post(name, path, body, "embed")
        yield post(f"{name}_on_generate_replica", path, {**body, "model": "tiny-llama"})


def anthropic_calls() -> Iterator[Call]:
    """Anthropic messages."""
    yield message("messages")
    yield message("messages_stream", stream=True)
    yield message("messages_system", system="Be brief.", messages=[{"role": "user", "content": "Hi"}])
    yield message("messages_blocks", messages=[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}])
    yield message("messages_stop", stop_sequences=["e"], max_tokens=16)
    yield message("messages_stop_stream", stop_sequences=["e"], max_tokens=16, stream=True)
    yield message("messages_wrong_model", model="nope")
    yield message("messages_wrong_model_stream", model="nope", stream=True)
    yield message("messages_no_max_tokens", max_tokens=None)
    yield message("messages_negative_max_tokens", max_tokens=-1)
    yield message("messages_empty", messages=[])
    yield Call("messages_malformed_json", "POST", MESSAGES, JSON, "{")
    counted = {"model": "tiny-llama", "messages": [{"role": "user", "content": "Hello"}]}
    yield post("count_tokens", "/v1/messages/count_tokens", counted)
    yield post("count_tokens_wrong_model", "/v1/messages/count_tokens", {**counted, "model": "nope"})


def responses_calls() -> Iterator[Call]:
    """OpenAI responses."""
    small: dict[str, Any] = {"model": "tiny-llama", "input": "Hello", "max_output_tokens": 8, "temperature": 0}
    yield post("responses", RESPONSES, small)
    yield post("responses_stream", RESPONSES, {**small, "stream": True})
    yield post("responses_instructions", RESPONSES, {**small, "instructions": "Be brief."})
    yield post("responses_wrong_model", RESPONSES, {**small, "model": "nope"})
    yield post("responses_no_input", RESPONSES, {"model": "tiny-llama"})
    yield post("responses_unknown_previous", RESPONSES, {**small, "previous_response_id": "resp_unknown"})


def tokenize_calls() -> Iterator[Call]:
    """Tokenize and detokenize."""
    messages = [{"role": "user", "content": "Hello"}]
    yield post("tokenize_prompt", "/tokenize", {"model": "tiny-llama", "prompt": "Hello there"})
    yield post("tokenize_messages", "/tokenize", {"model": "tiny-llama", "messages": messages})
    yield post("tokenize_strings", "/tokenize", {"model": "tiny-llama", "prompt": "Hi", "return_token_strs": True})
    yield post("tokenize_without_special", "/tokenize", {"prompt": "Hi", "add_special_tokens": False})
    yield post("tokenize_multi_byte", "/tokenize", {"model": "tiny-llama", "prompt": "héllo 🙂"})
    yield post("tokenize_wrong_model", "/tokenize", {"model": "nope", "prompt": "Hello"})
    yield post("tokenize_nothing", "/tokenize", {"model": "tiny-llama"})
    yield post("detokenize", "/detokenize", {"model": "tiny-llama", "tokens": [300, 301, 302]})
    yield post("detokenize_wrong_model", "/detokenize", {"model": "nope", "tokens": [300]})
    yield post("detokenize_wrong_type", "/detokenize", {"model": "tiny-llama", "tokens": "no"})


def server_calls() -> Iterator[Call]:
    """What a server tells about itself; the metrics come last, when they have something to tell."""
    for replica, suffix in (("generate", ""), ("embed", "_of_embed_replica")):
        yield Call(f"models{suffix}", "GET", "/v1/models", replica=replica)
    yield Call("model", "GET", "/v1/models/tiny-llama")
    yield Call("health", "GET", "/health")
    yield Call("ping", "GET", "/ping")
    yield Call("ping_post", "POST", "/ping")
    yield Call("version", "GET", "/version")
    yield Call("load", "GET", "/load")
    yield Call("unknown_route", "GET", "/v1/no/such/route")
    yield post("unknown_route_post", "/v1/no/such/route", {})
    yield Call("metrics", "GET", "/metrics")
    yield Call("metrics_of_embed_replica", "GET", "/metrics", replica="embed")


def calls() -> Iterator[Call]:
    """Every call, in the order in which they are made."""
    yield from chat_calls()
    yield from chat_refusals()
    yield from completion_calls()
    yield from embedding_calls()
    yield from anthropic_calls()
    yield from responses_calls()
    yield from tokenize_calls()
    yield from server_calls()
