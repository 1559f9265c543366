"""The effective settings, shown."""

import yaml

from tests.settings.conftest import Load
from vllm_gateway.settings import Assignment
from vllm_gateway.settings.pages.show import shown
from vllm_gateway.settings.pages.values import plain

FILE = """\
upstreams:
  - {url: http://h:1, route: tiny}
  - url: http://h:2
    route: tiny
    api_key: sesame
aliases: {"a: b": c}
"""


def test_each_value_has_its_origin_behind_it(loaded: Load) -> None:
    """A line per setting, with the file's line, the variable, the flag or the default."""
    lines = shown(
        loaded(
            FILE,
            environment={"GATEWAY_TIMEOUTS": "{idle_s: 5}", "VLLM_API_KEY": "sesame", "LOG_LEVEL": "debug"},
            flags=[Assignment(("port",), 9000, "flag --port")],
        )
    ).splitlines()
    for line in (
        "host: 127.0.0.1  # default",
        "port: 9000  # flag --port",
        "log_level: debug  # environment LOG_LEVEL",
        "  - url: http://h:1  # gateway.yaml:2",
        "    api_key: '********'  # environment VLLM_API_KEY",
        "    weight: 1  # default",
        "    api_key: '********'  # gateway.yaml:5",
        "  idle_s: 5  # environment GATEWAY_TIMEOUTS",
        "  total_s: 600  # default",
    ):
        assert line in lines


def test_secrets_are_masked(loaded: Load) -> None:
    """No key is in the text."""
    assert "sesame" not in shown(loaded(FILE))


def test_earlier_names_are_named_and_their_secrets_masked(loaded: Load) -> None:
    """A value from an earlier service's variable names that variable, once for each setting that it sets."""
    environment = {"PROXY_API_KEY": "sesame-0123", "REDIS_URL": "redis://:sesame@h", "GATEWAY_CACHE_TTL_SECONDS": "5"}
    text = shown(loaded(environment=environment))
    for line in (
        "  mode: keys  # environment PROXY_API_KEY",
        "  client_keys: ['********']  # environment PROXY_API_KEY",
        "  redis_url: '********'  # environment REDIS_URL",
        "  ttl_s: 5  # environment GATEWAY_CACHE_TTL_SECONDS",
    ):
        assert line in text.splitlines()
    assert "sesame" not in text


def test_the_text_is_yaml_of_the_same_settings(loaded: Load) -> None:
    """What is shown can be read back, and says the same."""
    found = loaded(FILE)
    assert yaml.safe_load(shown(found)) == plain(found.settings)
