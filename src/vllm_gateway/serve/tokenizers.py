"""The tokenizers of replicas that have a folder on this machine, each folder read once."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from typing_extensions import override

from vllm_gateway.sessions.tokenizer import LocalTokenizer
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.pool import Pool


class Tokenizers(Mapping[str, LocalTokenizer]):
    """By the name of a replica. A folder that was not read is as good as none: the replica counts then."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._read: dict[str, LocalTokenizer] = {}

    async def read(self, upstreams: Iterable[Upstream]) -> None:
        """Read the folders that are named here and not known yet, beside everything else: they are large.

        Raises:
            TokenizerUnusable: one of them cannot be read, or the library for it is not installed.
        """
        for folder in dict.fromkeys(each.tokenizer_path for each in upstreams):
            if folder is not None and folder not in self._read:
                self._read[folder] = await asyncio.to_thread(LocalTokenizer, Path(folder))

    @override
    def __getitem__(self, name: str) -> LocalTokenizer:
        replica = self._pool.find(name)
        return self._read[(replica.tokenizer_path if replica is not None else None) or ""]

    @override
    def __iter__(self) -> Iterator[str]:
        return (replica.name for replica in self._pool.replicas if replica.tokenizer_path in self._read)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)
