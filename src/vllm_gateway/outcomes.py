"""How an exchange can end: one closed list, the same in the code, in metrics and in logs."""

from enum import StrEnum


class Outcome(StrEnum):
    """Every exchange ends with exactly one of these; their counts add up to the number of requests."""

    OK = "ok"
    """Answered whole by the first replica that was asked."""
    OK_RETRIED = "ok_retried"
    """Answered whole, after another replica had failed before the first byte."""
    OK_RESUMED = "ok_resumed"
    """Answered whole, after its replica had failed in mid-stream and another one had gone on."""
    CLIENT_GONE = "client_gone"
    """The caller left before the end."""
    REFUSED_LIMIT = "refused_limit"
    """The caller has used up what it may use."""
    REFUSED_OVERLOAD = "refused_overload"
    """There was no room, no healthy replica, or the gateway is stopping."""
    UPSTREAM_ERROR = "upstream_error"
    """A replica failed and no other could take over."""
    UPSTREAM_TRUNCATED = "upstream_truncated"
    """An answer broke off after its first byte had reached the caller."""
    TIMEOUT = "timeout"
    """A replica was silent for too long."""
    BAD_REQUEST = "bad_request"
    """The request could not be served as it was sent."""
    AUTH = "auth"
    """The caller may not do this."""
    INTERNAL_ERROR = "internal_error"
    """A defect of the gateway."""
