"""Names of earlier services."""

from functools import reduce
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.settings.conftest import Load, Refused
from vllm_gateway.settings import Settings
from vllm_gateway.settings.places import shape_at
from vllm_gateway.settings.sources.aliases import ALIASES, NAMES

NAMES_OF_ALIASES = [name for alias in ALIASES for name in alias.names]

VALUES: dict[str, tuple[str, object]] = {
    "port": ("9000", 9000),
    "log_level": ("WARNING", "warning"),
    "default_route": ("default", "default"),
    "default_model": ("m", "m"),
    "allowed_models": ("a, b,", ("a", "b")),
    "timeouts.connect_s": ("3", 3),
    "timeouts.first_token_s": ("3", 3),
    "timeouts.write_s": ("3", 3),
    "timeouts.total_s": ("3", 3),
    "sse_heartbeat_s": ("0", 0),
    "cors_origins": ("http://a, http://b:3000/", ("http://a", "http://b:3000")),
    "state.redis_url": ("redis://h", SecretStr("redis://h")),
    "session.ttl_s": ("0", 0),
    "session.max_context_tokens": ("4096", 4096),
    "limits.requests_per_minute": ("60", 60),
    "limits.requests_per_second": ("5", 5),
    "limits.max_tokens_cap": ("512", 512),
    "cache.ttl_s": ("0", 0),
    "metrics.public": ("1", True),
}
"""For the first place of each alias a text, and the value that it means."""

SPLIT = {"AUTH_REQUIRED", "PROXY_API_KEY", "API_KEY", "USE_REDIS"}
"""Names that mean something else for each place, or need another name beside them."""


@pytest.mark.parametrize("name", sorted(name for name in NAMES_OF_ALIASES if name not in SPLIT))
def test_each_name_sets_its_settings(name: str, loaded: Load, tmp_path: Path) -> None:
    """Each earlier name, and the same with `_FILE`, sets what the table says, and is named as the origin."""
    alias = next(alias for alias in ALIASES if name in alias.names)
    text, value = VALUES[".".join(str(key) for key in alias.places[0])]
    (tmp_path / "text").write_text(f"{text}\n")
    for environment in ({name: text}, {f"{name}_FILE": "text"}):
        found = loaded(environment=environment)
        for place in alias.places:
            assert reduce(getattr, map(str, place), found.settings) == value
            assert found.tree.origin(place) == f"environment {next(iter(environment))}"


def test_the_table_names_settings_only() -> None:
    """Each place of the table is one of the model, and no name is there twice."""
    assert len(NAMES_OF_ALIASES) == len(set(NAMES_OF_ALIASES))
    assert all(shape_at(place) is not None for alias in ALIASES for place in alias.places)


@pytest.mark.parametrize("name", ["VLLM_URL", "VLLM_BASE_URL", "OPENAI_BASE_URL"])
def test_an_address_makes_one_upstream(name: str, loaded: Load) -> None:
    """Each of the three names gives one replica of the route `default`."""
    (upstream,) = loaded(environment={name: "http://h:8000/v1"}).settings.upstreams
    assert (upstream.root, upstream.route, upstream.api_key) == ("http://h:8000", "default", None)


def test_the_first_name_of_a_row_counts(loaded: Load) -> None:
    """Of several names for one thing the first wins, and the environment wins over `.env` before that."""
    both = {"VLLM_BASE_URL": "http://b", "OPENAI_BASE_URL": "http://c"}
    assert [one.url for one in loaded(environment=both).settings.upstreams] == ["http://b"]
    assert loaded(environment={"PORT": "2"}, dotenv="API_PORT=1").settings.port == 2


def test_routes_make_upstreams(loaded: Load) -> None:
    """`MODEL_ROUTE_<KEY>` gives a route in small letters, beside the one of the single address."""
    settings = loaded(
        environment={
            "MODEL_ROUTE_TINY": "http://h:1",
            "MODEL_ROUTE_Big-2": "http://h:2",
            "MODEL_ROUTE_": "http://h:3",
            "VLLM_URL": "http://h:4",
            "DEFAULT_MODEL_KEY": "TINY",
        },
        dotenv="MODEL_ROUTE_TINY=http://h:9",
    ).settings
    assert {one.route: one.url for one in settings.upstreams} == {
        "default": "http://h:4",
        "tiny": "http://h:1",
        "big-2": "http://h:2",
    }
    assert settings.default_route == "tiny"


@pytest.mark.parametrize(
    "canonical",
    [
        {"file": "upstreams: [{url: 'http://own'}]"},
        {"environment": {"GATEWAY_UPSTREAMS__0__URL": "http://own"}},
        {"dotenv": "GATEWAY_UPSTREAMS=[{url: 'http://own'}]"},
    ],
    ids=str,
)
def test_a_configured_upstream_wins(canonical: dict[str, object], loaded: Load) -> None:
    """An upstream from any other source leaves the earlier names unused."""
    earlier = {"OPENAI_BASE_URL": "http://earlier", "MODEL_ROUTE_X": "http://earlier"}
    given = canonical.get("environment", {})
    assert isinstance(given, dict)
    settings = loaded(**{**canonical, "environment": {**earlier, **given}}).settings
    assert [one.url for one in settings.upstreams] == ["http://own"]


def test_an_empty_list_of_upstreams_is_configured_too(loaded: Load) -> None:
    """`upstreams: []` asks for the embedded engine, whatever the environment holds."""
    assert loaded("upstreams: []", environment={"VLLM_URL": "http://h"}).settings.upstreams == ()


def test_the_key_goes_to_upstreams_without_one(loaded: Load) -> None:
    """`VLLM_API_KEY` is the key of every replica that has none of its own, wherever it was configured."""
    settings = loaded(
        "upstreams: [{url: 'http://h:1'}, {url: 'http://h:2', api_key: own}]", environment={"VLLM_API_KEY": "sesame"}
    ).settings
    assert [one.api_key and one.api_key.get_secret_value() for one in settings.upstreams] == ["sesame", "own"]
    assert loaded("upstreams: []", environment={"VLLM_API_KEY": "sesame"}).settings == Settings()


def test_wrong_values_name_the_variable(refused: Refused) -> None:
    """A text that cannot be the setting is told with the earlier name it came from."""
    lines = refused(environment={"PORT": "many", "MODEL_ROUTE_A": "h:1", "READ_TIMEOUT_SECONDS": "-1"})
    assert [line.split(" must")[0] for line in lines] == [
        "environment PORT: port",
        "environment MODEL_ROUTE_A: upstreams[0].url",
        "environment READ_TIMEOUT_SECONDS: timeouts.first_token_s",
        "environment READ_TIMEOUT_SECONDS: timeouts.idle_s",
    ]


@pytest.mark.parametrize("name", ["PORT", "VLLM_URL", "MODEL_ROUTE_X", "VLLM_API_KEY"])
def test_unreadable_files_are_told(name: str, refused: Refused) -> None:
    """A file that is not there is told with the variable that names it."""
    assert refused(environment={f"{name}_FILE": "nowhere"}) == [
        f"environment {name}_FILE: needs the file nowhere, which cannot be read: No such file or directory"
    ]


KEY = "sk-0123456789"


def _keys(loaded: Load, **environment: str) -> tuple[str, list[str]]:
    auth = loaded(environment=environment).settings.auth
    return auth.mode, [key.get_secret_value() for key in auth.client_keys]


@pytest.mark.parametrize("name", ["PROXY_API_KEY", "API_KEY"])
def test_a_client_key_shuts_the_door(name: str, loaded: Load, tmp_path: Path) -> None:
    """Either name gives one key, and callers need it then; `_FILE` names a file that holds it."""
    assert _keys(loaded, **{name: KEY}) == ("keys", [KEY])
    (tmp_path / "secret").write_text(f"{KEY}\n")
    assert _keys(loaded, **{f"{name}_FILE": "secret"}) == ("keys", [KEY])


@pytest.mark.parametrize("text", ["0", "false", "FALSE", "no", "off", " False "])
def test_a_door_that_is_said_to_be_open_is_open(text: str, loaded: Load) -> None:
    """`AUTH_REQUIRED` that is off leaves the mode at `none`, whatever key is set, even one that could be none."""
    assert _keys(loaded, AUTH_REQUIRED=text, PROXY_API_KEY=KEY) == ("none", [])
    assert _keys(loaded, AUTH_REQUIRED=text, API_KEY="x") == ("none", [])
    assert _keys(loaded, AUTH_REQUIRED=text) == ("none", [])


@pytest.mark.parametrize("text", ["1", "true", "True", "yes", "on"])
def test_a_door_that_is_said_to_be_shut_is_shut(text: str, loaded: Load) -> None:
    """`AUTH_REQUIRED` that is on asks for keys; without one nobody comes in before one is made."""
    assert _keys(loaded, AUTH_REQUIRED=text, PROXY_API_KEY=KEY) == ("keys", [KEY])
    assert _keys(loaded, AUTH_REQUIRED=text) == ("keys", [])


def test_the_mode_of_the_settings_wins(loaded: Load) -> None:
    """The gateway's own names win over both earlier ones, each setting by itself."""
    assert _keys(loaded, GATEWAY_AUTH__MODE="none", AUTH_REQUIRED="1", PROXY_API_KEY=KEY)[0] == "none"
    own = "[sk-own-0123456789]"
    assert _keys(loaded, GATEWAY_AUTH__CLIENT_KEYS=own, PROXY_API_KEY=KEY) == ("keys", ["sk-own-0123456789"])


def test_a_section_that_is_wrong_stays_wrong(refused: Refused) -> None:
    """What the file says wrongly about a whole section is told, not covered by an earlier name."""
    lines = refused("auth: open\n", environment={"PROXY_API_KEY": KEY})
    assert lines == ["gateway.yaml:1: auth must be a mapping with: mode, client_keys, keys_file, explain_to, admin_key"]


def test_a_short_key_is_told_without_itself(refused: Refused) -> None:
    """A key that everybody could guess is refused with the variable that holds it."""
    (line,) = refused(environment={"API_KEY": "sesame"})
    assert line.startswith("environment API_KEY: auth.client_keys[0] must have 8 to 512 printable ASCII characters")
    assert "sesame" not in line


def test_redis_is_used_when_it_is_said(loaded: Load, refused: Refused) -> None:
    """`USE_REDIS` that is on keeps conversations and counts limits in Redis at `REDIS_URL`, and needs that address."""
    settings = loaded(environment={"USE_REDIS": "1", "REDIS_URL": "redis://h:6379/0"}).settings
    assert (settings.session.backend, settings.limits.backend) == ("redis", "redis")
    assert settings.state.redis_url == SecretStr("redis://h:6379/0")
    assert refused(environment={"USE_REDIS": "true"}) == [
        f"environment USE_REDIS: {place} needs the address of Redis; give it in state.redis_url"
        for place in ("session.backend", "limits.backend")
    ]


def test_redis_is_not_used_when_it_is_said(loaded: Load) -> None:
    """`USE_REDIS` that is off leaves the address unread, even one that is none; the gateway's own names still win."""
    settings = loaded(environment={"USE_REDIS": "0", "REDIS_URL": "nonsense"}).settings
    assert (settings.session.backend, settings.state.redis_url) == ("sqlite", None)
    own = {"GATEWAY_SESSION__BACKEND": "redis", "GATEWAY_STATE__REDIS_URL": "redis://h"}
    assert loaded(environment={**own, "USE_REDIS": "0"}).settings.session.backend == "redis"
    assert loaded(environment={"REDIS_URL": "redis://h"}).settings.session.backend == "sqlite"


@pytest.mark.parametrize("name", ["AUTH_REQUIRED", "USE_REDIS"])
def test_a_switch_is_on_or_off(name: str, refused: Refused) -> None:
    """A text that is neither is told, not guessed."""
    assert refused(environment={name: "maybe"}) == [f"environment {name}: must be true or false"]


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("*", ("*",)),
        (
            '["http://localhost:3000", "https://chat.example.org"]',
            ("http://localhost:3000", "https://chat.example.org"),
        ),
        ("[]", ()),
        ("http://localhost:3000", ("http://localhost:3000",)),
    ],
)
def test_origins_are_a_list_of_either_form(text: str, origins: tuple[str, ...], loaded: Load) -> None:
    """Origins may be separated by commas, or be a JSON list."""
    assert loaded(environment={"CORS_ORIGINS": text}).settings.cors_origins == origins


def test_a_list_that_cannot_be_read_is_told(refused: Refused) -> None:
    """Half a JSON list is a mistake, named with its variable."""
    assert refused(environment={"ALLOW_ORIGINS": '["http://a"'}) == [
        "environment ALLOW_ORIGINS: must be a JSON list, or values separated by commas"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "METRICS_PUBLIC",
        "PROMETHEUS_ENABLE",
        "USE_REDIS",
        "AUTH_REQUIRED",
        "SSE_HEARTBEAT_SECONDS",
        "MAX_CONTEXT_TOKENS",
    ],
)
@pytest.mark.parametrize("text", ["0", ""])
def test_off_is_always_accepted(name: str, text: str, loaded: Load) -> None:
    """What an earlier deployment has switched off asks for nothing."""
    loaded(environment={name: text})


@pytest.mark.parametrize("name", sorted(name for name in NAMES if name.startswith("GATEWAY_")))
def test_earlier_names_with_the_prefix_are_known(name: str, loaded: Load) -> None:
    """An earlier name that looks like one of the gateway's own is not taken for a misspelt one."""
    loaded(environment={name: "0"})
