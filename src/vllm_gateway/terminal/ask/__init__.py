"""One question, and its answer on stdout and nothing else there; or every call that a session takes, as a guide."""

from vllm_gateway.terminal.ask.question import Question
from vllm_gateway.terminal.ask.running import run

__all__ = ["Question", "run"]
