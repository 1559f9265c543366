"""Addresses of shared stores."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from vllm_gateway.settings.store_urls import read_database_url, read_redis_url

DATABASES = [
    "postgresql://me:sesame@h/name",
    "postgres://me@h:5432/name",
    "postgresql+asyncpg://me:ses%23ame@h:5432/name?ssl=require",
    "postgresql:///name?host=/run/postgresql",
    "postgresql://me:sesame@h1:5432,h2:5433,[::1]/name?target_session_attrs=primary",
]


def test_an_address_of_redis_stays() -> None:
    """It is taken as it is."""
    url = SecretStr("redis+sentinel://:sesame@h1,h2/main/0")
    assert read_redis_url(url) is url


@pytest.mark.parametrize("text", DATABASES)
def test_addresses_of_postgresql_stay(text: str) -> None:
    """An address of a database is taken as it is, with the driver's name or without."""
    assert read_database_url(SecretStr(text)) == SecretStr(text)


def test_no_address_is_fine() -> None:
    """Without a store there is nothing to read."""
    assert (read_redis_url(None), read_database_url(None)) == (None, None)


def test_what_is_no_address_of_redis_is_refused() -> None:
    """With the sentence that says why."""
    with pytest.raises(ValueError, match="must name a host"):
        read_redis_url(SecretStr("redis://"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sesame", "is not an address"),
        ("sqlite:///sesame.db", "must begin with postgresql://"),
        ("mysql://me:sesame@h/name", "must begin with postgresql://"),
        ("postgresql+psycopg://me:sesame@h/name", "must not name a driver"),
        ("postgresql://me:sesame@h", "must name a database"),
        ("postgresql://me:ses/ame@h/name", "valid host and port"),
        ("postgresql://me:sesame@h:99999/name", "valid host and port"),
        ("postgresql://me:sesame@h:5432,i:0/name", "valid host and port"),
    ],
)
def test_what_is_no_address_of_postgresql_is_refused(text: str, said: str) -> None:
    """The sentence says what to write, and does not repeat what may be a password."""
    with pytest.raises(ValueError, match=said) as caught:
        read_database_url(SecretStr(text))
    assert "sesame" not in str(caught.value)


@given(st.sampled_from(["postgresql://", ""]), st.text())
def test_any_text_is_taken_or_refused_with_a_sentence(beginning: str, text: str) -> None:
    """No text does anything else."""
    assert _told(beginning + text) in {"", "write it like postgresql://"}


def _told(text: str) -> str:
    """Return the beginning of the example that a refusal holds; nothing when the address is taken."""
    try:
        read_database_url(SecretStr(text))
    except ValueError as fault:
        return "".join(re.findall("write it like postgresql://", str(fault)))
    return ""
