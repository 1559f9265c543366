"""The gateway as a client sees it: where it is, which model it is asked for, and where the key is kept."""

from dataclasses import dataclass

KEY_VARIABLE = "VLLM_GATEWAY_API_KEY"
DEFAULT_CONTEXT_TOKENS = 32_768
"""For clients that must be told, when the gateway does not say."""


@dataclass(frozen=True, slots=True)
class Place:
    """What every snippet is made of. It never holds a key, only the name of the variable that does."""

    url: str
    """The address without `/v1`."""
    model: str
    key_variable: str = KEY_VARIABLE
    context_tokens: int = DEFAULT_CONTEXT_TOKENS

    @property
    def v1(self) -> str:
        """The address that clients of OpenAI's API want."""
        return f"{self.url}/v1"
