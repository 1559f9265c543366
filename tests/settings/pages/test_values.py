"""Plain values."""

import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from vllm_gateway.settings import Settings, Upstream
from vllm_gateway.settings.pages.values import MASK, one_line, plain


def test_secrets_become_masks() -> None:
    """A secret is masked inside sections and lists; none stays none."""
    assert plain((SecretStr("sesame"), SecretStr("sesame"))) == [MASK, MASK]
    settings = Settings.model_validate({"upstreams": [{"url": "http://h", "api_key": "sesame"}, {"url": "http://i"}]})
    more = {"tokenizer_path": None, "max_concurrent": 0, "priority_scheduling": False}
    more |= {"resolve": False, "wake_on_request": False, "accelerator": None}
    assert plain(settings.upstreams) == [
        {"url": "http://h", "route": "default", "api_key": MASK, "weight": 1, **more},
        {"url": "http://i", "route": "default", "api_key": None, "weight": 1, **more},
    ]


def test_whole_numbers_have_no_point() -> None:
    """30.0 seconds are shown as 30, as people write them; half a second stays one."""
    assert (one_line(30.0), one_line(0.5), one_line(None), one_line(True)) == ("30", "0.5", "null", "true")  # noqa: FBT003 - the value itself


@given(st.text() | st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.lists(st.text()).map(tuple)))
def test_one_line_is_the_same_value_in_yaml(value: object) -> None:
    """The text is one line, and YAML reads the value back from it."""
    text = one_line(value)
    assert "\n" not in text
    assert yaml.safe_load(text) == plain(value)


def test_sections_are_mappings() -> None:
    """A section is shown with all of its keys."""
    assert set(plain(Upstream(url="http://h")) or ()) == set(Upstream.model_fields)  # type: ignore[call-overload] # a mapping
