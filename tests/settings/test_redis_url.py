"""Addresses of Redis."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.settings.redis_url import RedisAddress, read_address

ONE = (("h", 6379),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://localhost", RedisAddress("server", (("localhost", 6379),))),
        ("REDIS://h:7/", RedisAddress("server", (("h", 7),))),
        ("redis://h/15", RedisAddress("server", ONE, options={"db": 15})),
        ("redis://h/1?db=2", RedisAddress("server", ONE, options={"db": 2})),
        ("redis://:ses%23a%40me@h", RedisAddress("server", ONE, options={"password": "ses#a@me"})),
        ("redis://me:s@h", RedisAddress("server", ONE, options={"username": "me", "password": "s"})),
        (
            "redis://[::1]:6379/0?socket_timeout=1",
            RedisAddress("server", (("::1", 6379),), options={"db": 0, "socket_timeout": 1.0}),
        ),
        (
            "rediss://h?ssl_ca_certs=/etc/ca%20of%20us.pem&ssl_check_hostname=False&ssl_cert_reqs=required",
            RedisAddress(
                "server",
                ONE,
                is_encrypted=True,
                options={
                    "ssl_ca_certs": "/etc/ca of us.pem",
                    "ssl_check_hostname": False,
                    "ssl_cert_reqs": "required",
                },
            ),
        ),
        ("unix:///run/redis.sock?db=1", RedisAddress("socket", path="/run/redis.sock", options={"db": 1})),
        ("unix://:s@/r.sock", RedisAddress("socket", path="/r.sock", options={"password": "s"})),
        ("redis+sentinel://h/main", RedisAddress("sentinel", (("h", 26379),), service="main")),
        (
            "rediss+sentinel://me:s@h1:1,[::2]:2,h3/main/4?sentinel_username=a&sentinel_password=b",
            RedisAddress(
                "sentinel",
                (("h1", 1), ("::2", 2), ("h3", 26379)),
                service="main",
                is_encrypted=True,
                options={"username": "me", "password": "s", "db": 4},
                sentinel_login={"username": "a", "password": "b"},
            ),
        ),
        ("redis+cluster://h", RedisAddress("cluster", ONE)),
        (
            "rediss+cluster://:s@h1:1,h2:2/0?max_connections=8",
            RedisAddress(
                "cluster",
                (("h1", 1), ("h2", 2)),
                is_encrypted=True,
                options={"password": "s", "max_connections": 8, "db": 0},
            ),
        ),
    ],
)
def test_an_address_is_taken_apart(text: str, expected: RedisAddress) -> None:
    """Into the servers, how to log in, and how to connect."""
    assert read_address(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sesame:6379", "is not an address"),
        ("sesame", "is not an address"),
        ("http://sesame:6379", "must begin with redis://"),
        ("valkey://sesame", "must begin with redis://"),
        ("redis://", "must name a host"),
        ("redis://:sesame@", "must name a host"),
        ("unix://", "must name a socket"),
        ("redis://:sesame@h:port/0", "valid host and port"),
        ("redis://:ses#ame@h:6379/0", "%23 for #"),
        ("redis://h:6379/sesame", "number of a database"),
        ("redis://h:0", "valid host and port"),
        ("redis://h:6379/0 sesame", "is not an address"),
        ("redis://h\n:6379", "is not an address"),
        ("redis://sesame,h", "must name one host; where there are several"),
        ("redis://[sesame", "valid host and port"),
        ("redis://h?sesame=1", "option that is not known; there are client_name, "),
        ("redis://h?socket_timeout=sesame", "no usable value for the option socket_timeout"),
        ("redis://h?socket_timeout=inf", "no usable value for the option socket_timeout"),
        ("redis://h?socket_timeout=nan", "no usable value for the option socket_timeout"),
        ("redis://h?max_connections=0", "no usable value for the option max_connections"),
        ("redis://h?client_name=", "no usable value for the option client_name"),
        ("rediss://h?ssl_check_hostname=sesame", "no usable value for the option ssl_check_hostname"),
        ("rediss://h?ssl_cert_reqs=sesame", "no usable value for the option ssl_cert_reqs"),
        ("redis://h?ssl_ca_certs=/sesame", "options of TLS, which only addresses that begin with rediss"),
        ("redis://h?sentinel_password=sesame", "options of Sentinel"),
        ("redis+sentinel://sesame:26379", "must name the service"),
        ("redis+sentinel://h,:26379/main", "must name a host"),
        ("redis+sentinel://h,,/main", "must name a host"),
        ("redis+sentinel://h/main/sesame", "number of a database"),
        ("redis+cluster://h/1", "one database only"),
        ("redis+cluster://h?db=1", "has one only"),
    ],
)
def test_what_is_no_address_is_refused(text: str, said: str) -> None:
    """The sentence says what to write, and does not repeat what may be a password."""
    with pytest.raises(ValueError, match=said) as caught:
        read_address(text)
    assert "sesame" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    """By what the address looks like in a log."""
    shown = repr(read_address("redis+sentinel://me:sesame@h/main?sentinel_password=sesame"))
    assert "sesame" not in shown
    assert "main" in shown


@given(
    st.sampled_from(["redis://", "rediss://", "unix://", "redis+sentinel://", "redis+cluster://", ""]),
    st.text() | st.text("abc:/@,?=&[]%#0123456789"),
)
def test_any_text_is_taken_or_refused_with_a_sentence(beginning: str, text: str) -> None:
    """No text does anything else; what is taken names its place."""
    assert _told(beginning + text) in {"", "write it like redis", "write it like unix"}


def _told(text: str) -> str:
    """Return the beginning of the example that a refusal holds; nothing when the address is taken."""
    try:
        address = read_address(text)
    except ValueError as fault:
        return "".join(re.findall("write it like (?:redis|unix)", str(fault)))
    assert address.hosts or address.path
    return ""
