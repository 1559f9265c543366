"""The chat. `run` shows it; Textual is imported only then."""

from vllm_gateway.terminal.chat.running import Wishes, run

__all__ = ["Wishes", "run"]
