"""Which route answers what, and what comes before any of them: the key, the media type, the faults."""

import hmac
import logging
from collections.abc import Callable
from uuid import uuid4

from vllm_gateway.sim.api import (
    admin,
    chat,
    completions,
    embeddings,
    messages,
    metrics,
    models,
    problems,
    responses,
    state,
    tokenize,
)
from vllm_gateway.sim.api.problems import Problem
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.replica import Replica
from vllm_gateway.sim.settings import SimSettings

log = logging.getLogger(__name__)

Route = Callable[[Replica, Call], None]

_ADMIN_PREFIX = "/sim/"
_GUARDED = ("/v1", "/v2", "/inference", "/cohere")


_GENERATING: dict[str, Route] = {
    "/v1/chat/completions": chat.answer,
    "/v1/completions": completions.answer,
    "/v1/messages": messages.answer,
    "/v1/messages/count_tokens": messages.count,
    "/v1/responses": responses.answer,
    "/inference/v1/generate": state.scale_out,
}
_EMBEDDING: dict[str, Route] = {
    "/v1/embeddings": embeddings.embed,
    "/rerank": embeddings.rerank,
    "/v1/rerank": embeddings.rerank,
    "/v2/rerank": embeddings.rerank,
    "/score": embeddings.score,
    "/v1/score": embeddings.score,
}
_WORK = frozenset({*_GENERATING, *_EMBEDDING})
"""What faults happen to when they name no path."""

_ALWAYS: dict[str, dict[str, Route]] = {
    "/health": {"GET": state.health},
    "/ping": {"GET": state.health, "POST": state.health},
    "/version": {"GET": state.version},
    "/load": {"GET": state.load},
    "/metrics": {"GET": metrics.answer},
    "/v1/models": {"GET": models.answer},
    "/tokenize": {"POST": tokenize.tokenize},
    "/detokenize": {"POST": tokenize.detokenize},
}
_DEVELOPMENT: dict[str, dict[str, Route]] = {
    "/sleep": {"POST": state.sleep},
    "/wake_up": {"POST": state.wake_up},
    "/is_sleeping": {"GET": state.is_sleeping},
    "/reset_prefix_cache": {"POST": state.reset_prefix_cache},
}
_ADMIN: dict[str, dict[str, Route]] = {
    "/sim/faults": {"GET": admin.list_faults, "POST": admin.add_faults, "DELETE": admin.clear_faults},
    "/sim/log": {"GET": admin.show_log, "DELETE": admin.clear_log},
}
_WITHOUT_JSON = frozenset({"/ping", *_DEVELOPMENT})


def routes(settings: SimSettings) -> dict[str, dict[str, Route]]:
    """Return the routes that these settings offer, by path and method."""
    offered = _ALWAYS | _ADMIN
    for kind, names in ((_GENERATING, settings.models), (_EMBEDDING, settings.embedding_models)):
        if names:
            offered |= {path: {"POST": route} for path, route in kind.items()}
    return offered | (_DEVELOPMENT if settings.dev_mode else {})


class App:
    """Takes calls from the wire and gives each to its route."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._routes = routes(replica.settings)

    def arriving(self, call: Call) -> None:
        """Prepare what every answer carries, and choose what goes wrong."""
        if self._replica.settings.request_id_headers:
            given = call.seen.header("x-request-id") or uuid4().hex
            call.headers_out.append(b"x-request-id: %b\r\n" % given.encode("latin-1"))
        if not call.path.startswith(_ADMIN_PREFIX):
            self._replica.faults.at_head(call, is_work=call.path in _WORK)

    def answer(self, call: Call) -> None:
        """Answer `call`, now or later, unless something is to go wrong with it before."""
        is_admin = call.path.startswith(_ADMIN_PREFIX)
        if is_admin or self._replica.faults.at_body(call, lambda: self._try(call), is_work=call.path in _WORK):
            self._try(call)

    def _try(self, call: Call) -> None:
        if call.is_ended:
            return
        try:
            self._answer(call)
        except Problem as problem:
            call.reply(problem.status, problem.body)
        except Exception:  # the edge of the sim: a defect answers 500, as a defect of vLLM does
            log.exception("the sim failed on %s %s", call.seen.method, call.seen.target)
            call.reply(500, Problem("Internal server error", status=500, kind="InternalServerError").body)

    def _answer(self, call: Call) -> None:
        path, method = call.path, call.seen.method
        if not self._may_pass(call):
            call.reply(401, b'{"error":"Unauthorized"}')
            return
        methods = self._routes.get(path)
        if methods is None:
            call.reply(404, b'{"detail":"Not Found"}')
        elif method not in methods:
            call.headers_out.append(b"allow: %b\r\n" % ", ".join(methods).encode())
            call.reply(405, b'{"detail":"Method Not Allowed"}')
        else:
            if method == "POST" and path not in _WITHOUT_JSON:
                _check_media_type(call)
            methods[method](self._replica, call)

    def _may_pass(self, call: Call) -> bool:
        key = self._replica.settings.api_key
        if key is None or call.seen.method == "OPTIONS" or not call.path.startswith(_GUARDED):
            return True
        scheme, _, given = (call.seen.header("authorization") or "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), key.encode())


def _check_media_type(call: Call) -> None:
    given = (call.seen.header("content-type") or "").lower().partition(";")[0]
    if given != "application/json":
        raise problems.wrong_media_type()
