"""`docs/clients.md`."""

from scripts.clients_page import PAGE, page


def test_the_page_is_what_the_command_prints() -> None:
    """Run `python -m scripts.clients_page` after a change of the clients."""
    assert PAGE.read_text(encoding="utf-8") == page()
