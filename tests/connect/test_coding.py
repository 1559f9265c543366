"""Clients that write programs."""

import tomllib

import yaml

from vllm_gateway import codec
from vllm_gateway.connect.coding import claude_code, cline, codex, continue_dev, zed
from vllm_gateway.connect.place import Place

PLACE = Place("http://h:1", "org/model", "MY_KEY", 4096)


def test_claude_code_gets_the_address_without_v1_and_every_size_of_model() -> None:
    """Its background calls name the smaller ones, which would be 404 otherwise."""
    snippet = claude_code(PLACE)
    variables = codec.loads(snippet.text)["env"]
    assert variables["ANTHROPIC_BASE_URL"] == "http://h:1"
    assert {variables[f"ANTHROPIC_DEFAULT_{size}_MODEL"] for size in ("OPUS", "SONNET", "HAIKU")} == {"org/model"}
    assert "MY_KEY" in snippet.notes[0]


def test_claude_code_is_told_of_names_that_it_cannot_take() -> None:
    """A model with a slash needs an alias."""
    assert any("aliases: {model: org/model}" in note for note in claude_code(PLACE).notes)
    assert not any("aliases" in note for note in claude_code(Place("http://h:1", "model")).notes)


def test_codex_speaks_responses_only() -> None:
    """Its provider names the variable of the key."""
    settings = tomllib.loads(codex(PLACE).text)
    provider = settings["model_providers"][settings["model_provider"]]
    assert (settings["model"], provider["base_url"]) == ("org/model", "http://h:1/v1")
    assert (provider["env_key"], provider["wire_api"]) == ("MY_KEY", "responses")


def test_continue_takes_its_key_from_its_secrets() -> None:
    """Its provider `vllm` reads rerank's and embeddings' answers as vLLM writes them."""
    (model,) = yaml.safe_load(continue_dev(PLACE).text)["models"]
    assert (model["provider"], model["apiBase"]) == ("vllm", "http://h:1/v1")
    assert model["apiKey"] == "${{ secrets.MY_KEY }}"


def test_zed_is_told_how_much_the_model_holds() -> None:
    """It does not ask the gateway."""
    provider = codec.loads(zed(PLACE).text)["language_models"]["openai_compatible"]["vllm-gateway"]
    assert provider["api_url"] == "http://h:1/v1"
    assert provider["available_models"][0]["max_tokens"] == 4096


def test_cline_has_no_file() -> None:
    """Everything is entered inside the editor."""
    snippet = cline(PLACE)
    assert snippet.file is None
    assert "http://h:1/v1" in snippet.text
