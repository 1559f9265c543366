"""A list of upstreams in a file of its own."""

from pathlib import Path

import pytest

from vllm_gateway import codec
from vllm_gateway.settings.model import Upstream
from vllm_gateway.settings.problems import SettingsInvalid
from vllm_gateway.settings.sources.variables import MAX_FILE_BYTES, Variables
from vllm_gateway.settings.upstream_list import read_upstreams, read_upstreams_here

LISTED = [{"url": "http://127.0.0.1:8001/v1", "route": "big", "weight": 2}, {"url": "https://b.test"}]


def written(tmp_path: Path, text: str, *, mode: int = 0o600) -> Path:
    """Write a list that only its owner may read, unless said otherwise."""
    path = tmp_path / "replicas"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "- url: http://127.0.0.1:8001/v1\n  route: big\n  weight: 2\n- url: https://b.test\n",
        codec.dumps(LISTED).decode(),
        '[\n\t{"url": "http://127.0.0.1:8001/v1",\n\t\t"route": "big", "weight": 2},\n\t{"url": "https://b.test"}\n]\n',
    ],
    ids=["yaml", "json", "json with tabs"],
)
def test_yaml_and_json_mean_the_same(text: str, tmp_path: Path) -> None:
    """Each entry is an upstream as in the settings, with the same defaults."""
    assert read_upstreams(written(tmp_path, text)) == tuple(Upstream.model_validate(each) for each in LISTED)


def test_an_empty_list_is_one(tmp_path: Path) -> None:
    """Nobody is on it."""
    assert read_upstreams(written(tmp_path, "[]\n")) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must hold a list"),
        ("# soon\n", "must hold a list"),
        ("upstreams: []\n", "must hold a list"),
        ("url: http://127.0.0.1:1\n", "must hold a list"),
        ("just words\n", "must hold a list"),
        ("- url: http://127.0.0.1:1\n- rout: x\n", "upstreams[1].rout"),
        ("- url: http://127.0.0.1:1\n- route: x\n", "upstreams[1].url"),
        ("- url: http://127.0.0.1:1\n  weight: -1\n", ":2: upstreams[0].weight must be more than 0"),
        ("- url: [\n", "is not YAML"),
        ("- http://127.0.0.1:1\n", "upstreams[0] must be a mapping"),
        ("- url: ${NO_SUCH_NAME}\n", "NO_SUCH_NAME"),
        ("#" * (MAX_FILE_BYTES + 1), "is larger than"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str, tmp_path: Path) -> None:
    """Nothing of a broken list is used."""
    with pytest.raises(SettingsInvalid) as caught:
        read_upstreams(written(tmp_path, text))
    assert told in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The sentence names the file."""
    with pytest.raises(SettingsInvalid, match=r"replicas: cannot be read"):
        read_upstreams(tmp_path / "replicas")


def test_a_key_in_a_file_for_everybody_is_refused(tmp_path: Path) -> None:
    """The rule of the settings file holds here too, and a variable is the way out."""
    text = "- url: http://127.0.0.1:1\n  api_key: {}\n"
    with pytest.raises(SettingsInvalid, match="chmod 600") as caught:
        read_upstreams(written(tmp_path, text.format("sk-very-secret"), mode=0o644))
    assert "sk-very-secret" not in str(caught.value)
    source = Variables("environment", {"REPLICA_KEY": "sk-very-secret"}, tmp_path)
    (found,) = read_upstreams(written(tmp_path, text.format("${REPLICA_KEY}"), mode=0o644), [source])
    assert found.api_key is not None
    assert found.api_key.get_secret_value() == "sk-very-secret"


def test_the_variables_of_the_process_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The running gateway fills in its own environment."""
    monkeypatch.setenv("REPLICA_HOST", "replicas.test")
    (found,) = read_upstreams_here(written(tmp_path, "- url: http://${REPLICA_HOST}:8000\n"))
    assert found.url == "http://replicas.test:8000"


def test_what_several_workers_could_not_do_is_refused(tmp_path: Path) -> None:
    """By name, with its line; one process may have it."""
    path = written(tmp_path, "- url: http://a.test\n  max_concurrent: 4\n")
    assert read_upstreams(path)[0].max_concurrent == 4
    with pytest.raises(SettingsInvalid, match=r"replicas:2: upstreams\[0\]\.max_concurrent cannot be counted"):
        read_upstreams(path, workers=2)
    assert read_upstreams(written(tmp_path, "- url: http://a.test\n"), workers=2)[0].url == "http://a.test"
