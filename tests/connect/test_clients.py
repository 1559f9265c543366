"""All clients by name."""

import pytest

from vllm_gateway.connect.clients import CLIENTS, ClientUnknown, client_named
from vllm_gateway.connect.place import Place
from vllm_gateway.connect.snippet import ClientProgram


@pytest.mark.parametrize("client", CLIENTS.values(), ids=lambda client: client.name)
def test_each_is_told_of_address_and_model_and_no_key(client: ClientProgram) -> None:
    """The name of the variable stands where a key would."""
    place = Place("http://gateway.example:9", "some-model", "SOME_VARIABLE")
    snippet = client.told(place)
    said = snippet.text + "".join(snippet.notes)
    assert "http://gateway.example:9" in snippet.text
    assert "some-model" in snippet.text
    assert "SOME_VARIABLE" in said or "VLLM_GATEWAY_API_KEY" in said
    assert snippet.where


@pytest.mark.parametrize("name", ["claude-code", "Claude Code", "CLAUDE_CODE"])
def test_names_are_read_as_people_write_them(name: str) -> None:
    """In any letters, with spaces or hyphens."""
    assert client_named(name).title == "Claude Code"


def test_a_name_that_is_none_brings_the_nearest_and_all() -> None:
    """One learns what there is."""
    with pytest.raises(ClientUnknown, match=r"Did you mean codex\? There are: claude-code, codex"):
        client_named("codx")
