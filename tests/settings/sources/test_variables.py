"""Variables, `.env` files and texts with references."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.settings.sources.variables import (
    MAX_FILE_BYTES,
    Unreadable,
    Variables,
    file_text,
    filled_in,
    read_dotenv,
    secret_text,
)


@pytest.fixture
def variables(tmp_path: Path) -> Callable[..., Variables]:
    """Make the variables of an environment."""
    return lambda **texts: Variables("environment", texts, tmp_path)


def test_a_variable_is_itself_or_a_file(variables: Callable[..., Variables], tmp_path: Path) -> None:
    """`NAME_FILE` gives the text of a file, relative to the directory, and is named in the origin."""
    (tmp_path / "key").write_text("sesame\n")
    found = variables(A="x", B_FILE="key", C_FILE=str(tmp_path / "key"))
    assert [found.text(name) for name in "ABCD"] == ["x", "sesame", "sesame", None]
    assert [found.origin(name) for name in "AB"] == ["environment A", "environment B_FILE"]


def test_empty_variables_count_as_not_set(variables: Callable[..., Variables]) -> None:
    """A variable that holds nothing is neither listed nor read."""
    found = variables(A="", A_FILE="")
    assert found.names() == []
    assert found.text("A") is None


def test_a_variable_and_its_file_exclude_each_other(variables: Callable[..., Variables]) -> None:
    """Both at once is a mistake, not a guess."""
    with pytest.raises(Unreadable, match="is set as A and as A_FILE; keep one"):
        variables(A="x", A_FILE="key").text("A")


def test_a_missing_file_names_itself_and_its_variable(variables: Callable[..., Variables]) -> None:
    """The sentence holds the path, the fault holds the variable."""
    with pytest.raises(Unreadable, match="needs the file key, which cannot be read: No such file") as caught:
        variables(A_FILE="key").text("A")
    assert caught.value.origin == "environment A_FILE"


@pytest.mark.parametrize(
    ("content", "text"),
    [("k\n", "k"), ("k\r\n", "k"), ("k\n\n", "k\n"), (" k ", " k "), ("", ""), ("\ufeffk", "k")],
)
def test_a_secret_loses_one_newline_only(content: str, text: str, tmp_path: Path) -> None:
    """The newline that editors add goes; all else is part of the secret."""
    path = tmp_path / "key"
    path.write_bytes(content.encode())
    assert secret_text(path) == text


def test_files_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    """Too large a file, and one that is not text, have their own sentences."""
    large, binary = tmp_path / "large", tmp_path / "binary"
    large.write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Unreadable, match="is larger than"):
        file_text(large)
    with pytest.raises(Unreadable, match="is not UTF-8 text"):
        file_text(binary)


def test_dotenv_is_read_as_its_users_write_it(tmp_path: Path) -> None:
    """Comments, `export`, quotes and empty values are understood; references are left alone."""
    (tmp_path / ".env").write_text("# c\nexport A=1\nB='x y'\nC=\"q\" # c\nD=\nE=${A}\nF\n")
    found = read_dotenv(tmp_path)
    assert found.problems == []
    assert dict(found.variables.texts) == {"A": "1", "B": "x y", "C": "q", "D": "", "E": "${A}", "F": ""}
    assert found.variables.origin("A") == ".env A"


def test_dotenv_faults_have_lines(tmp_path: Path) -> None:
    """A line without the form NAME=value is a problem; the other lines still count."""
    (tmp_path / ".env").write_text("A=1\n\n\nnot a value\nB=2\nC='open\n")
    found = read_dotenv(tmp_path)
    assert [problem.line for problem in found.problems] == [
        ".env:4: must have the form NAME=value",
        ".env:6: must have the form NAME=value",
    ]
    assert dict(found.variables.texts) == {"A": "1", "B": "2"}


def test_dotenv_may_be_absent_but_not_unreadable(tmp_path: Path) -> None:
    """No file means no variables; a directory of that name is a problem."""
    assert not read_dotenv(tmp_path).variables.texts
    (tmp_path / ".env").mkdir()
    assert [problem.line for problem in read_dotenv(tmp_path).problems] == [".env: cannot be read: Is a directory"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "x"),
        ("a ${A} b ${A}", "a x b x"),
        ("${B:-other}", "other"),
        ("${B:-}", ""),
        ("${A:-other}", "x"),
        ("${EMPTY:-other}", "other"),
        ("${B:-a:-b}", "a:-b"),
        ("$${A}", "${A}"),
        ("$A $ { } ${", "$A $ { } ${"),
        ("${LATER}", "y"),
    ],
)
def test_references_are_filled_in(text: str, expected: str, variables: Callable[..., Variables]) -> None:
    """`${NAME}` is the variable, `${NAME:-default}` the default when it is not set or empty, `$${` an escape."""
    assert filled_in(text, [variables(A="x", EMPTY=""), variables(A="no", LATER="y")]) == expected


@pytest.mark.parametrize("text", ["${B}", "${EMPTY}"])
def test_a_missing_reference_is_told(text: str, variables: Callable[..., Variables]) -> None:
    """A name that is not set and has no default is a mistake, and the sentence says how to write one."""
    with pytest.raises(
        Unreadable, match=r"needs the variable \w+, which is not set; set it, or write \$\{\w+:-default"
    ):
        filled_in(text, [variables(EMPTY="")])


@given(st.text())
def test_values_are_never_read_as_references(value: str) -> None:
    """What a variable holds is used as it is, whatever it looks like."""
    value = value or "x"
    assert filled_in("${A}", [Variables("environment", {"A": value}, Path())]) == value
