"""What can go wrong between a guest and a gateway; `str()` of each is the sentence that people read."""

from typing import Any

from vllm_gateway import codec

_MOST_CHARACTERS = 500
"""A page of some other server is no sentence."""


class Fault(Exception):
    """A question that got no whole answer."""


class Unreachable(Fault):
    """There was no HTTP answer at all."""


class StreamBroken(Fault):
    """The answer began and broke off: what has come is not all of it."""


class Refused(Fault):
    """The gateway, or a replica behind it, said no."""

    def __init__(
        self, sentence: str, *, status: int, code: str | None, retry_after_s: float | None, param: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        """The gateway's word for it, like `session_not_found`."""
        self.retry_after_s = retry_after_s
        self.param = param
        """The member of the body that is wrong."""


def refused(status: int, headers: dict[str, str], body: bytes) -> Refused:
    """Return what an answer, or an event in it, says that is no success."""
    error = _error_of(body)
    sentence = error.get("message")
    if not isinstance(sentence, str) or not sentence:
        sentence = f"The gateway answered with status {status} and no reason. Is it a vllm-gateway?"
    code, param = error.get("code"), error.get("param")
    return Refused(
        sentence[:_MOST_CHARACTERS],
        status=status,
        code=code if isinstance(code, str) else None,
        retry_after_s=_seconds(headers),
        param=param if isinstance(param, str) else None,
    )


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        found = codec.loads(body)
    except codec.MalformedJson:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}


def _seconds(headers: dict[str, str]) -> float | None:
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit_s)
        except (KeyError, ValueError):
            continue
    return None
