"""Answers of the routes that the gateway answers itself, as they look: for `/docs` and `/redoc`."""

from typing import Any

ID = "sess_0123456789abcdef0123456789abcdef"
_RESPONSE_ID = "resp_0123456789abcdef"
_MODEL = "Qwen/Qwen2.5-7B-Instruct"
_ROW = {
    "id": _MODEL,
    "object": "model",
    "created": 1795219840,
    "owned_by": "vllm",
    "root": _MODEL,
    "max_model_len": 32768,
    "sources": [{"source": "default-1", "latency_ms": 1.4}],
    "load": {"running": 3, "waiting": 0},
}
_MODELS = {"object": "list", "data": [_ROW], "has_more": False, "first_id": _MODEL, "last_id": _MODEL}
_SESSION = {
    "id": ID,
    "object": "session",
    "model": None,
    "title": "First steps",
    "system_prompt": "You are brief.",
    "created_at": 1795219840.1,
    "last_used_at": 1795219850.2,
    "expires_at": 1795220450.2,
    "expires_in": 600,
    "turns": 1,
    "messages": 2,
    "messages_in_context": 2,
    "replica": "tiny-1",
    "usage": {"input_tokens": 17, "output_tokens": 8, "prompt_tokens": 17},
}
_MESSAGES = [
    {"place": 0, "role": "user", "content": "Hello", "in_context": True},
    {"place": 1, "role": "assistant", "content": "Hello!", "in_context": True},
]
_PARTS = [{"type": "input_text", "text": "Hello"}]

ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("get", "/v1/models"): _MODELS,
    ("get", "/api/models"): _MODELS,
    ("get", "/v1/models/{model}"): _ROW,
    ("get", "/health"): {
        "status": "ok",
        "ok": True,
        "vllm": "ok",
        "engine": "vllm",
        "version": "0.1.0",
        "draining": False,
        "replicas": {"usable": 2, "total": 2},
    },
    ("get", "/api/healthz"): {
        "status": "healthy",
        "gpu_available": None,
        "model_loaded": True,
        "upstream_healthy": True,
        "queue_size": 0,
        "details": {"models": [_MODEL]},
    },
    ("get", "/livez"): {"ok": True},
    ("get", "/readyz"): {"ready": True, "reason": None},
    ("get", "/startupz"): {"started": True},
    ("post", "/v1/sessions"): _SESSION,
    ("get", "/v1/sessions"): {
        "object": "list",
        "data": [{name: value for name, value in _SESSION.items() if name != "system_prompt"}],
        "first_id": ID,
        "last_id": ID,
        "has_more": False,
    },
    ("get", "/v1/sessions/{session_id}"): _SESSION,
    ("patch", "/v1/sessions/{session_id}"): _SESSION,
    ("delete", "/v1/sessions/{session_id}"): {"id": ID, "object": "session.deleted", "deleted": True},
    ("get", "/v1/sessions/{session_id}/messages"): {
        "object": "list",
        "data": _MESSAGES,
        "has_more": False,
        "next_after": None,
    },
    ("get", "/v1/sessions/{session_id}/export"): {"session": _SESSION, "messages": _MESSAGES},
    ("get", "/v1/responses/{response_id}"): {
        "id": _RESPONSE_ID,
        "object": "response",
        "status": "completed",
        "model": _MODEL,
        "previous_response_id": None,
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello!"}]}],
    },
    ("get", "/v1/responses/{response_id}/input_items"): {
        "object": "list",
        "data": [{"id": "item_0", "type": "message", "role": "user", "content": _PARTS}],
        "first_id": "item_0",
        "last_id": "item_0",
        "has_more": False,
    },
    ("delete", "/v1/responses/{response_id}"): {"id": _RESPONSE_ID, "object": "response", "deleted": True},
    ("post", "/init_session"): {"session_id": ID, "expires_in": 600},
    ("post", "/set_system_prompt"): {"ok": True, "session_id": ID, "expires_in": 600},
    ("post", "/stop_session"): {"ok": True, "session_id": ID},
}
"""By method and path."""
