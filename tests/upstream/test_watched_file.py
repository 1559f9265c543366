"""A list of replicas that follows its file."""

import logging
import os
from pathlib import Path

import pytest

from vllm_gateway.upstream.watched_file import WatchedFile

ONE = "- url: http://127.0.0.1:8001\n"
TWO = ONE + "- url: http://127.0.0.1:8002\n"


def write(path: Path, text: str) -> None:
    """Write a file as it should be done: beside it, and then in its place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def ports(watched: WatchedFile) -> list[int]:
    """Return the ports on the list."""
    return [int(upstream.url.rpartition(":")[2]) for upstream in watched.upstreams]


async def test_the_list_follows_the_file(tmp_path: Path) -> None:
    """A change is seen at the next look, and only a change is one."""
    path = tmp_path / "replicas.yaml"
    write(path, ONE)
    watched = WatchedFile(str(path))
    assert await watched.look()
    assert not await watched.look()
    write(path, TWO)
    assert await watched.look()
    assert ports(watched) == [8001, 8002]
    write(path, TWO + "# nothing new\n")
    assert not await watched.look()
    write(path, "[]\n")
    assert await watched.look()
    assert ports(watched) == []


async def test_a_file_of_the_same_size_and_time_is_another_one(tmp_path: Path) -> None:
    """What replaces a file is told from it even when nothing but its text differs."""
    path = tmp_path / "replicas.yaml"
    write(path, ONE)
    watched = WatchedFile(str(path))
    await watched.look()
    before = path.stat()
    new = tmp_path / "new"
    new.write_text(ONE.replace("8001", "8009"))
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)
    assert await watched.look()
    assert ports(watched) == [8009]


async def test_a_swapped_link_is_a_change(tmp_path: Path) -> None:
    """Kubernetes mounts a ConfigMap as a link to a folder that it swaps."""
    for number, text in enumerate((ONE, TWO)):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "replicas.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "replicas.yaml").symlink_to("..data/replicas.yaml")
    watched = WatchedFile(str(tmp_path / "replicas.yaml"))
    await watched.look()
    assert ports(watched) == [8001]
    (tmp_path / "..tmp").symlink_to("..1")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert await watched.look()
    assert ports(watched) == [8001, 8002]


@pytest.mark.parametrize(
    "broken",
    ["", "- url: [", "- url: nowhere\n", "url: http://127.0.0.1:1\n", "- {url: 'http://x:1', secret: 1}\n", None],
    ids=["empty", "no yaml", "no url", "no list", "unknown key", "gone"],
)
async def test_a_broken_file_leaves_the_list_as_it_was(
    broken: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once what is wrong, and once that it is well again."""
    caplog.set_level(logging.INFO)
    path = tmp_path / "replicas.yaml"
    write(path, TWO)
    watched = WatchedFile(str(path))
    await watched.look()
    if broken is None:
        path.unlink()
    else:
        write(path, broken)
    for _ in range(3):
        assert not await watched.look()
        assert ports(watched) == [8001, 8002]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    write(path, ONE)
    assert await watched.look()
    assert ports(watched) == [8001]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_file_that_comes_later_is_found(tmp_path: Path) -> None:
    """There need not be one at the start."""
    path = tmp_path / "replicas.yaml"
    watched = WatchedFile(str(path))
    assert not await watched.look()
    write(path, ONE)
    assert await watched.look()
    assert ports(watched) == [8001]
