"""Pages in browsers that may call the gateway from another origin."""

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_METHODS = ("GET", "POST", "PATCH", "DELETE", "OPTIONS")
_READABLE = ("x-request-id", "retry-after", "retry-after-ms", "server-timing", "x-gateway-explain")
"""What a page may read of a reply's headers; OpenAI's library in the browser wants them."""


def with_cors(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """Return `app` for pages of these origins (`*`: of any); the same `app` when there are none.

    Keys travel in headers that a page sets itself, so no page needs the browser's credentials, and none may use them.
    Pages may send any header: which of them count is decided behind this door.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=("*",),
        expose_headers=_READABLE,
        # a page from outside may reach a gateway inside a private network only when it was named
        allow_private_network="*" not in origins,
    )
