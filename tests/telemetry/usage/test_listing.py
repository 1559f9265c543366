"""Sums as they are shown."""

from vllm_gateway.telemetry.usage.listing import comma_separated, described, table
from vllm_gateway.telemetry.usage.names import KeyNames, KnownKey
from vllm_gateway.telemetry.usage.question import Total

BY = ("key", "day")
TOTALS = [
    Total({"key": None, "day": 20_000}, 1, 1, 0, 0, 0),
    Total({"key": "key-a", "day": 20_001}, 1200, 3, 1_000_000, 5, 2),
]
ROWS = described(TOTALS, KeyNames([KnownKey("key-a", "key_1", "ann")]))


def test_days_are_dates_and_keys_have_their_names_beside_them() -> None:
    """Plain values, for JSON."""
    assert ROWS[1] == {
        "key": "key-a",
        "key_name": "ann",
        "day": "2024-10-05",
        "requests": 1200,
        "failed": 3,
        "prompt_tokens": 1_000_000,
        "completion_tokens": 5,
        "cached_tokens": 2,
    }
    assert (ROWS[0]["key"], ROWS[0]["key_name"]) == (None, None)


def test_a_table_ends_with_its_sums() -> None:
    """Words to the left, numbers to the right."""
    assert table(ROWS, BY) == (
        "KEY    KEY NAME  DAY         REQUESTS  FAILED  PROMPT TOKENS  COMPLETION TOKENS  CACHED TOKENS\n"
        "-      -         2024-10-04         1       1              0                  0              0\n"
        "key-a  ann       2024-10-05     1,200       3      1,000,000                  5              2\n"
        "TOTAL                           1,201       4      1,000,000                  5              2\n"
    )


def test_csv_has_a_head_and_leaves_empty_what_is_unknown() -> None:
    """As spreadsheets read it."""
    assert comma_separated(ROWS, BY) == (
        "key,key_name,day,requests,failed,prompt_tokens,completion_tokens,cached_tokens\n"
        ",,2024-10-04,1,1,0,0,0\n"
        "key-a,ann,2024-10-05,1200,3,1000000,5,2\n"
    )
    assert comma_separated([], ("model",)).count("\n") == 1


def test_no_name_is_a_formula() -> None:
    """Whoever may name a key has nothing calculated on the machine of whoever opens the file."""
    names = ("=1+1", "@SUM(A1)", "+1", "-1", "a=1")
    rows = described(
        [Total({"key": name}, 1, 0, 0, 0, 0) for name in names], KeyNames(KnownKey(name, "k", name) for name in names)
    )
    cells = [line.split(",")[1] for line in comma_separated(rows, ("key",)).splitlines()[1:]]
    assert cells == ["'=1+1", "'@SUM(A1)", "'+1", "'-1", "a=1"]
    assert rows[0]["key_name"] == "=1+1"
