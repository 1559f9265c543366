"""Libraries that only some settings need, and what to do where one of them is not installed."""

from importlib.util import find_spec


class MissingExtra(ImportError):
    """The settings ask for something whose library is not installed; `str()` of it is what to do."""


def need(library: str, extra: str, setting: str) -> None:
    """Do nothing where `library` is installed.

    Raises:
        MissingExtra: it is not; the sentence names the setting and the extra that brings it.
    """
    if not is_installed(library):
        raise MissingExtra(f"{setting} needs a library that is not installed. Run: pip install 'vllm-gateway[{extra}]'")


def is_installed(library: str) -> bool:
    """Say whether a library, or a part of one, is there."""
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False
