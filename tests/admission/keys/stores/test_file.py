"""Keys in a file."""

import os
import stat
import subprocess
import sys
from asyncio import run
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.admission.keys.making import WALL, made
from vllm_gateway.admission.keys.store import StoreUnusable
from vllm_gateway.admission.keys.stores.file import FileStore

ANN = made("ann", expires=WALL + 60, models=("tiny",), rpm=5)[1]

ADD = """
import asyncio, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from vllm_gateway.admission.keys.record import new_record
from vllm_gateway.admission.keys.secret import mint
from vllm_gateway.admission.keys.stores.file import FileStore
async def add():
    store = FileStore(Path(sys.argv[1]))
    for number in range(50):
        await store.add(new_record(mint(), name=f"{sys.argv[2]} {number}", created=1.7e9))
asyncio.run(add())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file that is not there yet, in a folder that is not."""
    return tmp_path / "state" / "keys.yaml"


def test_the_file_is_its_owners_and_can_be_read_by_people(path: Path) -> None:
    """Nobody else may read it; it holds no defaults, and times as people write them."""
    run(FileStore(path).add(ANN))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    text = path.read_text()
    assert "created: 2023-11-14 22:13:20+00:00" in text
    assert set(yaml.safe_load(text)["keys"][0]) == {
        "id", "name", "digest", "hint", "models", "requests_per_minute", "priority", "created", "expires",
    }  # fmt: skip
    assert sorted(each.name for each in path.parent.iterdir()) == ["keys.yaml", "keys.yaml.lock"]


def test_a_file_keeps_the_rights_that_somebody_gave_it(path: Path) -> None:
    """A gateway that runs as another user of the file's group can still read it when a key was added."""
    run(FileStore(path).add(ANN))
    path.chmod(0o640)
    run(FileStore(path).revoke("ann", WALL))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_two_processes_that_make_fifty_keys_each_lose_none(path: Path) -> None:
    """All hundred are there, each once."""
    adding = [subprocess.Popen([sys.executable, "-c", ADD, str(path), name]) for name in ("a", "b")]
    assert [process.wait(30) for process in adding] == [0, 0]
    names = sorted(record.name for record in run(FileStore(path).load()))
    assert names == sorted(f"{who} {number}" for who in "ab" for number in range(50))


def test_an_edit_by_hand_is_noticed(path: Path) -> None:
    """The file may be changed by anything; one that is gone holds no keys."""
    store = FileStore(path)
    assert run(store.has_changed())
    run(store.add(ANN))
    run(store.load())
    assert not run(store.has_changed())
    path.write_text(path.read_text().replace("requests_per_minute: 5", "requests_per_minute: 50"))
    assert run(store.has_changed())
    assert run(store.load())[0].allowance.requests_per_minute == 50
    path.unlink()
    assert run(store.has_changed())
    assert run(store.load()) == []
    assert not run(store.has_changed())


@pytest.mark.parametrize("text", ["", "# only a comment\n", "keys: []\n"])
def test_a_file_without_keys_has_none(path: Path, text: str) -> None:
    """An empty one is no mistake."""
    path.parent.mkdir()
    path.write_text(text)
    assert run(FileStore(path).load()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("keys: }", "line 1: this is not YAML."),
        ("- ann", "it must hold 'keys:' and a list of entries under it."),
        ("keys: ann", "it must hold 'keys:' and a list of entries under it."),
        ("keys: []\nmore: 1", "it must hold 'keys:' and a list of entries under it."),
        ("keys: [{name: ann}]", "entry 1 ('ann'): id: Field required."),
        ("keys: [7]", "entry 1: "),
        ("keys: [2023-99-99]", "a value cannot be read."),
        ("keys: !!python/object:os.system {}", "line 1: this is not YAML."),
    ],
    ids=str,
)
def test_a_file_that_cannot_be_understood_is_left_alone(path: Path, text: str, sentence: str) -> None:
    """One sentence names the file and the entry; nothing is written over what somebody wrote."""
    path.parent.mkdir()
    path.write_text(text)
    store = FileStore(path)
    for attempt in (store.load(), store.add(ANN), store.revoke("ann", WALL)):
        with pytest.raises(StoreUnusable) as caught:
            run(attempt)
        assert str(caught.value).startswith(f"{path}: {sentence}")
        assert "\n" not in str(caught.value)
    assert path.read_text() == text


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: b"keys: [" + rest + b"]"))
def test_any_bytes_are_keys_or_a_sentence(content: bytes) -> None:
    """Nothing but the one error comes out, whatever the file holds."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "keys.yaml")
        path.write_bytes(content)
        try:
            assert isinstance(run(FileStore(path).load()), list)
        except StoreUnusable as unusable:
            assert str(unusable).startswith(f"{path}: ")  # noqa: PT017 - valid contents raise nothing


def test_two_entries_for_one_key_are_told(path: Path) -> None:
    """Which of them counted could not be told."""
    run(FileStore(path).add(ANN))
    rows = yaml.safe_load(path.read_text())["keys"]
    path.write_text(yaml.safe_dump({"keys": [*rows, rows[0] | {"id": "key_000000000000", "name": "bob"}]}))
    with pytest.raises(StoreUnusable, match=r"entry 2 \('bob'\): its id or digest is there twice"):
        run(FileStore(path).load())


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A folder where the file should be, and a file where the folder should be."""
    (tmp_path / "keys.yaml").mkdir()
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "keys.yaml", tmp_path / "file" / "keys.yaml"):
        store = FileStore(path)
        for attempt in (store.load(), store.add(ANN)):
            with pytest.raises(StoreUnusable, match=f"^{path}: [A-Z][a-z ]+\\.$"):
                run(attempt)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "keys.yaml", "keys.yaml.lock"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    """What it names is written."""
    link, named = tmp_path / "link.yaml", tmp_path / "elsewhere" / "keys.yaml"
    named.parent.mkdir()
    link.symlink_to(named)
    run(FileStore(link).add(ANN))
    assert link.is_symlink()
    assert run(FileStore(named).load()) == [ANN]


@pytest.mark.parametrize("failing", ["fsync", "chown"])
def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """A full disk costs the new key only; no other file is left behind."""
    store = FileStore(path)
    run(store.add(ANN))
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, failing, full)
        with pytest.raises(StoreUnusable, match="No space left on device"):
            run(store.add(made("bob")[1]))
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["keys.yaml", "keys.yaml.lock"]
    run(store.add(made("bob")[1]))
    assert len(run(store.load())) == 2
