"""What a setting needs and is not installed is told with the line that installs it."""

import pytest

from vllm_gateway.state.extras import MissingExtra, need


def test_what_is_installed_is_enough() -> None:
    """Nothing is said about a library that is there."""
    need("asyncio", "redis", "limits.backend: redis")


@pytest.mark.parametrize("library", ["no_such_library", "no_such_library.part", "asyncio.no_such_part"])
def test_what_is_missing_is_told(library: str) -> None:
    """The sentence names the setting and the extra; a part may be missing with all that it is a part of."""
    sentence = r"^limits.backend: redis needs a library .* Run: pip install 'vllm-gateway\[redis\]'$"
    with pytest.raises(MissingExtra, match=sentence):
        need(library, "redis", "limits.backend: redis")
