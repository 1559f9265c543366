"""The gateway as a client sees it."""

from vllm_gateway.connect.place import Place


def test_clients_of_openai_want_v1() -> None:
    """Anthropic's want the address without it."""
    place = Place("http://h:1", "m")
    assert (place.url, place.v1) == ("http://h:1", "http://h:1/v1")
