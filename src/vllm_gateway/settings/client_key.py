"""The keys that callers send, as the settings take them."""

from pydantic import SecretStr

MIN_CHARACTERS = 8
MIN_ADMIN_CHARACTERS = 16
MAX_CHARACTERS = 512
MAX_UPSTREAM_CHARACTERS = 4096


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


def read_upstream_key(key: SecretStr | None) -> SecretStr | None:
    """Return `key` without the line end that files have; raise `ValueError` when no header can hold it."""
    if key is None:
        return None
    text = key.get_secret_value().rstrip("\r\n")
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > MAX_UPSTREAM_CHARACTERS:
        raise ValueError(f"must have at most {MAX_UPSTREAM_CHARACTERS} printable ASCII characters and no spaces")
    return SecretStr(text) if text else None


def read_admin_key(key: SecretStr | None) -> SecretStr | None:
    """Return `key`; raise `ValueError` when it is too weak for what it opens."""
    if key is not None and len(key.get_secret_value()) < MIN_ADMIN_CHARACTERS:
        raise ValueError(f"must have at least {MIN_ADMIN_CHARACTERS} characters; make one with: openssl rand -hex 24")
    return None if key is None else read_client_key(key)
