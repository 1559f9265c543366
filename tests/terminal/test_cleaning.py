"""Words of others, made harmless."""

from vllm_gateway.terminal.cleaning import clean


def test_words_cannot_steer_the_terminal() -> None:
    """Escapes, bells and characters that turn text around are replaced; tabs and line ends stay."""
    assert clean("a\x1b[2Jb\x07\u202ec\td\r\n") == "a\ufffd[2Jb\ufffd\ufffdc\td\n"
