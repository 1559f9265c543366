"""Addresses of shared stores."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from vllm_gateway.settings.store_urls import read_database_url, read_redis_url

REDIS = [
    "redis://localhost",
    "redis://localhost:6379/0",
    "redis://:sesame@h:6379/15",
    "rediss://me:sesame@cache.example.org:6380/",
    "redis://[::1]:6379/0?socket_timeout=1",
    "unix:///run/redis.sock?db=1",
]
DATABASES = [
    "postgresql://me:sesame@h/name",
    "postgres://me@h:5432/name",
    "postgresql+asyncpg://me:ses%23ame@h:5432/name?ssl=require",
    "postgresql:///name?host=/run/postgresql",
]


@pytest.mark.parametrize("text", REDIS)
def test_addresses_of_redis_stay(text: str) -> None:
    """An address of one server is taken as it is."""
    assert read_redis_url(SecretStr(text)) == SecretStr(text)


@pytest.mark.parametrize("text", DATABASES)
def test_addresses_of_postgresql_stay(text: str) -> None:
    """An address of a database is taken as it is, with the driver's name or without."""
    assert read_database_url(SecretStr(text)) == SecretStr(text)


def test_no_address_is_fine() -> None:
    """Without a store there is nothing to read."""
    assert (read_redis_url(None), read_database_url(None)) == (None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sesame:6379", "is not an address"),
        ("sesame", "is not an address"),
        ("http://sesame:6379", "must begin with redis://"),
        ("valkey://sesame", "must begin with redis://"),
        ("redis+sentinel://sesame:26379/main", "Sentinel and Cluster are not available"),
        ("redis+cluster://sesame:6379", "Sentinel and Cluster are not available"),
        ("redis://", "must name a host"),
        ("unix://", "must name a socket"),
        ("redis://:sesame@h:port/0", "valid host and port"),
        ("redis://:ses#ame@h:6379/0", "%23 for #"),
        ("redis://h:6379/sesame", "number of a database"),
        ("redis://h:0", "valid host and port"),
        ("redis://h:6379/0 sesame", "is not an address"),
        ("redis://h\n:6379", "is not an address"),
    ],
)
def test_what_is_no_address_of_redis_is_refused(text: str, said: str) -> None:
    """The sentence says what to write, and does not repeat what may be a password."""
    with pytest.raises(ValueError, match=said) as caught:
        read_redis_url(SecretStr(text))
    assert "sesame" not in str(caught.value)


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
    ],
)
def test_what_is_no_address_of_postgresql_is_refused(text: str, said: str) -> None:
    """The sentence says what to write, and does not repeat what may be a password."""
    with pytest.raises(ValueError, match=said) as caught:
        read_database_url(SecretStr(text))
    assert "sesame" not in str(caught.value)


SENTENCES = ("write it like redis://", "write it like unix://", "write it like postgresql://")


@given(st.sampled_from(["redis://", "unix://", "postgresql://", ""]), st.text())
def test_any_text_is_taken_or_refused_with_a_sentence(beginning: str, text: str) -> None:
    """No text does anything else."""
    for read in (read_redis_url, read_database_url):
        url = SecretStr(beginning + text)
        assert _told(read, url) in ("", *SENTENCES)


def _told(read: Callable[[SecretStr | None], SecretStr | None], url: SecretStr) -> str:
    """Return the example that a refusal holds; nothing when the address is taken."""
    try:
        read(url)
    except ValueError as fault:
        return " ".join(re.findall(r"write it like \w+://", str(fault)))
    return ""
