"""What the routes answer instead of what was asked for: statuses and bodies, for the description of the routes."""

from typing import Any

Schema = dict[str, Any]

_SENTENCE = {"type": "string", "description": "One sentence that says what was wrong, and what to do"}
_ERROR: Schema = {
    "type": "object",
    "properties": {
        "message": _SENTENCE,
        "type": {"type": "string"},
        "param": {"type": ["string", "null"], "description": "The field of the request that is to blame"},
        "code": {"type": ["string", "integer", "null"]},
    },
    "required": ["message", "type"],
}
SHAPES: dict[str, Schema] = {
    "OpenAIError": {"type": "object", "properties": {"error": _ERROR}, "required": ["error"]},
    "AnthropicError": {
        "type": "object",
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "properties": {"type": {"type": "string"}, "message": _SENTENCE},
                "required": ["type", "message"],
            },
            "request_id": {"type": "string"},
        },
        "required": ["type", "error"],
    },
    "PlainError": {
        "type": "object",
        "properties": {
            "detail": {
                "description": "The same sentence; where fields are wrong, the list of them",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}],
            },
            "error": _ERROR,
        },
        "required": ["detail", "error"],
    },
}
"""The bodies, by name."""

_ABOUT_KEYS = {
    "401": "No key, or a wrong one",
    "429": "Over a limit, or too many wrong keys; `Retry-After` says when to try again",
    "503": "It cannot be done now: nothing is healthy, all is full, or a store is out; `Retry-After` says for how long",
}
_ABOUT_BODIES = {
    "400": "The request is wrong; the body says how",
    "408": "The body did not come in time",
    "413": "The body, or the conversation, is too large",
    "415": "The body is announced as something other than JSON",
}
_ABOUT_NAMES = {"404": "What is named does not exist, or is another caller's", "409": "It is busy, or names too much"}
_ABOUT_REPLICAS = {
    "403": "The model may not be asked for",
    "404": "No model server serves the model, more than one route does, or the session does not exist",
    "409": "The session is busy; on the compatibility routes also a model that nobody or more than one route serves",
    "501": "No model server of this model offers the route",
    "502": "The model server failed or cannot be reached",
    "504": "The model server was silent for too long",
}
_PLAIN_ROUTES = frozenset({"/chat", "/embed", "/init_session", "/set_system_prompt", "/stop_session"})


def of_replicas(path: str) -> Schema:
    """Return the refusals of a route that a replica answers, by status."""
    return _told(path, {**_ABOUT_BODIES, **_ABOUT_KEYS, **_ABOUT_REPLICAS})


def of_house(path: str, *, has_body: bool, names: bool) -> Schema:
    """Return the refusals of a route that the gateway answers itself."""
    told = {**(_ABOUT_BODIES if has_body else {"400": _ABOUT_BODIES["400"]}), **_ABOUT_KEYS}
    if path == "/v1/models/{model}":
        told["403"] = _ABOUT_REPLICAS["403"]
    return _told(path, {**told, **(_ABOUT_NAMES if names else {})})


def _told(path: str, reasons: dict[str, str]) -> Schema:
    shape = "OpenAIError"
    if path.startswith("/v1/messages"):
        shape = "AnthropicError"
    elif path.startswith("/api/") or path in _PLAIN_ROUTES:
        shape = "PlainError"
        reasons = {**reasons, "422": "Fields are wrong; `detail` lists them"}
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}}}
    return {status: {"description": reasons[status], "content": content} for status in sorted(reasons)}
