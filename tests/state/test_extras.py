"""What a setting needs and is not installed is told with the line that installs it."""

import pytest

from vllm_gateway.state.extras import MissingExtra, need


def test_what_is_installed_is_enough() -> None:
    """Nothing is said about a library that is there."""
    need("asyncio", "redis", "limits.backend: redis")


def test_what_is_missing_is_told() -> None:
    """The sentence names the setting and the extra."""
    sentence = r"^limits.backend: redis needs a library .* Run: pip install 'vllm-gateway\[redis\]'$"
    with pytest.raises(MissingExtra, match=sentence):
        need("no_such_library", "redis", "limits.backend: redis")
