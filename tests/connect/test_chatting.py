"""Clients that people talk in."""

import yaml

from vllm_gateway.connect.chatting import aichat, librechat, llm, open_webui
from vllm_gateway.connect.place import Place

PLACE = Place("http://h:1", "org/model", "MY_KEY", 4096)


def test_open_webui_is_told_by_its_environment() -> None:
    """It names its conversations to the gateway, so that they go where their prefix is cached."""
    lines = dict(line.split("=", 1) for line in open_webui(PLACE).text.splitlines())
    assert lines["OPENAI_API_BASE_URL"] == "http://h:1/v1"
    assert lines["OPENAI_API_KEY"] == "${MY_KEY}"
    assert lines["ENABLE_FORWARD_USER_INFO_HEADERS"] == "true"


def test_librechat_reads_the_models_itself() -> None:
    """The one that is named is there for the time when it cannot."""
    (endpoint,) = yaml.safe_load(librechat(PLACE).text)["endpoints"]["custom"]
    assert (endpoint["baseURL"], endpoint["models"]) == ("http://h:1/v1", {"default": ["org/model"], "fetch": True})


def test_aichat_has_a_client_whose_variable_can_be_exported() -> None:
    """A hyphen in its name would be one in the variable's."""
    settings = yaml.safe_load(aichat(PLACE).text)
    assert settings["model"] == "vllm_gateway:org/model"
    assert settings["clients"][0]["name"] == "vllm_gateway"


def test_llm_gets_a_model_with_a_name_of_its_own() -> None:
    """So that it does not shadow another."""
    (model,) = yaml.safe_load(llm(PLACE).text)
    assert (model["model_name"], model["api_base"]) == ("org/model", "http://h:1/v1")
