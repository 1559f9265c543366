"""The file with a list of replicas, looked at again and again."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from vllm_gateway.settings.model import Upstream
from vllm_gateway.settings.problems import SettingsInvalid
from vllm_gateway.settings.upstream_list import read_upstreams_here

log = logging.getLogger(__name__)

_Version: TypeAlias = tuple[int, int, int, int] | None
"""What is different for every version of the file, wherever a link to it points now; None: there is none."""


class WatchedFile:
    """A list of upstreams that follows its file; while the file is broken or away, the last good list stays.

    Whoever writes it writes another file first and moves that to its place, as `mv` and Kubernetes do: a list that is
    cut off in the middle may look like a shorter list.
    """

    def __init__(self, path: str, *, read: Callable[[Path], tuple[Upstream, ...]] = read_upstreams_here) -> None:
        self.upstreams: tuple[Upstream, ...] = ()
        """What it said last that could be used."""
        self._path = Path(path)
        self._read = read
        self._seen: _Version | str = "nothing yet"
        self._told = ""
        """The fault that the log has already."""

    async def look(self) -> bool:
        """Read the file if it is another one than last time; say whether the list has changed."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> bool:
        version = self._version()
        if version == self._seen and version is not None:
            return False
        self._seen = version  # of before the reading: what is written meanwhile is read next time
        try:
            upstreams = self._read(self._path)
        except SettingsInvalid as invalid:
            self._complain(str(invalid))
            return False
        if self._told:
            log.info("the list of replicas in %s is well again", self._path)
            self._told = ""
        before, self.upstreams = self.upstreams, upstreams
        return upstreams != before

    def _version(self) -> _Version:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    def _complain(self, why: str) -> None:
        """Say once what is wrong."""
        if why != self._told:
            log.warning("the list of replicas is not taken over; the one before stays: %s", why.replace("\n", "; "))
            self._told = why
