"""Whose a session is, and who may use it."""

from vllm_gateway.sessions.model import Session

EVERYBODY = ""
"""The one caller that there is where no keys are asked for."""
BEARER = "bearer"
"""Owner of the sessions whose id is a credential of its own; no caller has this id."""
UNKNOWN = "There is no such session. It was never begun, was stopped, or was not used for too long; begin a new one."


def may_use(session: Session, *, caller: str, is_bearer: bool) -> bool:
    """Say whether a caller may use a session: it is the caller's own, or, where the id is enough, a bearer's.

    Where no keys are asked for, both kinds belong to everybody who knows their id.
    """
    if is_bearer or caller == EVERYBODY:
        return session.owner in {BEARER, EVERYBODY}
    return session.owner == caller
