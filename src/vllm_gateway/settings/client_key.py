"""A client key, as the settings take it."""

from pydantic import SecretStr

MIN_CHARACTERS = 8
MAX_CHARACTERS = 512


def read_client_key(key: SecretStr) -> SecretStr:
    """Return `key`; raise `ValueError` when no client could send it in a header, or everybody could guess it."""
    text = key.get_secret_value()
    is_sendable = text.isascii() and text.isprintable() and " " not in text
    if not is_sendable or not MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS:
        raise ValueError(
            f"must have {MIN_CHARACTERS} to {MAX_CHARACTERS} printable ASCII characters and no spaces; "
            "make one with: openssl rand -hex 24"
        )
    return key
