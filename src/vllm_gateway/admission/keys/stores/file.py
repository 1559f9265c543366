"""Client keys in a YAML file: written whole, by one process at a time, and read again only when it has changed."""

import asyncio
import os
import secrets
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import yaml

from vllm_gateway.admission.keys.record import KeyRecord, RecordInvalid, from_row
from vllm_gateway.admission.keys.store import StoreUnusable, pick
from vllm_gateway.admission.keys.stores.lock_file import locked

T = TypeVar("T")

_HEADER = """\
# Client keys of vllm-gateway: what each of them may, and its SHA-256. The keys themselves are kept nowhere.
# Written by `vllm-gateway keys`. Who edits it by hand writes it to another file first and moves that here.
"""
_TIMES = ("created", "expires", "revoked")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Version: TypeAlias = tuple[int, int, int] | None
"""What is different for every version of the file; None: there is no file, and so no keys."""


class FileStore:
    """Keeps keys in one file, which several processes may read and write at once."""

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.realpath(path))  # what a link names is replaced, not the link
        self._loaded: _Version | str = "nothing yet"

    async def load(self) -> list[KeyRecord]:
        """Return all keys, the oldest first; without a file there are none."""
        version, records = await self._run(self._read)
        self._loaded = version
        return records

    async def has_changed(self) -> bool:
        """Say whether the file is another one than the last that was loaded."""
        return await self._run(self._version) != self._loaded

    async def add(self, record: KeyRecord) -> None:
        """Append a key."""
        await self._run(lambda: self._change(lambda records: (None, [*records, record])))

    async def revoke(self, wanted: str, at: float) -> KeyRecord | None:
        """Mark a key as revoked."""

        def revoked(records: list[KeyRecord]) -> tuple[KeyRecord | None, list[KeyRecord]]:
            found = pick(records, wanted)
            if found is None or found.revoked is not None:
                return found, records
            over = replace(found, revoked=float(int(at)))
            return over, [over if record is found else record for record in records]

        return await self._run(lambda: self._change(revoked))

    async def close(self) -> None:
        """Nothing is held open."""

    async def _run(self, work: Callable[[], T]) -> T:
        """Do what may block elsewhere; the faults of files become the one error that callers know."""
        try:
            return await asyncio.to_thread(work)
        except RecordInvalid as fault:
            raise StoreUnusable(f"{self._path}: {fault}") from fault
        except OSError as fault:
            raise StoreUnusable(f"{self._path}: {fault.strerror or fault}.") from fault

    def _version(self) -> _Version:
        try:
            return _version(self._path.stat())
        except FileNotFoundError:
            return None

    def _read(self) -> tuple[_Version, list[KeyRecord]]:
        try:
            with self._path.open("rb") as opened:
                return _version(os.fstat(opened.fileno())), _records(opened.read())
        except FileNotFoundError:
            return None, []

    def _change(self, change: Callable[[list[KeyRecord]], tuple[T, list[KeyRecord]]]) -> T:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._path.with_name(f"{self._path.name}.lock")):
            _, records = self._read()
            result, changed = change(records)
            if changed is not records:
                self._write(_text(_distinct(changed)))
        return result

    def _write(self, text: bytes) -> None:
        """Put the text in place of the file: who reads meanwhile, or after a crash, finds the old or the new one."""
        beside = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(descriptor)
            self._keep_rights(beside)
            beside.replace(self._path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(self._path.parent)

    def _keep_rights(self, beside: Path) -> None:
        """Leave the file to whom it belongs: who runs the command as root must not lock the gateway out."""
        if sys.platform != "win32":
            with suppress(FileNotFoundError, PermissionError):
                before = self._path.stat()
                os.chown(beside, before.st_uid, before.st_gid)
                beside.chmod(stat.S_IMODE(before.st_mode))


def _version(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _sync_folder(folder: Path) -> None:
    """Make the new name of a file last; Windows opens no folders."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _records(text: bytes) -> list[KeyRecord]:
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 - it is the safe one, in C where that is there
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        where = "" if mark is None else f"line {mark.line + 1}: "
        raise RecordInvalid(f"{where}this is not YAML.") from fault
    except (ValueError, RecursionError) as fault:
        raise RecordInvalid("a value cannot be read.") from fault
    rows = {"keys": []} if content is None else content
    if not isinstance(rows, dict) or set(rows) != {"keys"} or not isinstance(rows["keys"], list):
        raise RecordInvalid("it must hold 'keys:' and a list of entries under it.")
    return _distinct([from_row(row, f"entry {number}") for number, row in enumerate(rows["keys"], start=1)])


def _distinct(records: list[KeyRecord]) -> list[KeyRecord]:
    """Refuse two entries for one key: one of them could be revoked and the other not."""
    seen: set[str] = set()
    for number, record in enumerate(records, start=1):
        if record.id in seen or record.digest in seen:
            raise RecordInvalid(f"entry {number} ({record.name!r}): its id or digest is there twice.")
        seen |= {record.id, record.digest}
    return records


def _text(records: Sequence[KeyRecord]) -> bytes:
    rows = {"keys": [_row(record) for record in records]}
    return _HEADER.encode() + yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, encoding="utf-8")


def _row(record: KeyRecord) -> dict[str, Any]:
    """Return what people read: no defaults, and times as they write them."""
    row = record.as_row()
    times = {name: datetime.fromtimestamp(row[name], UTC) for name in _TIMES if row[name] is not None}
    return {name: value for name, value in (row | times).items() if value not in (0, None, [])}
