"""The KV cache as vLLM keeps it: blocks of 16 tokens, shared by equal prefixes, the least recently used leave first."""

from collections import OrderedDict
from collections.abc import Sequence

BLOCK = 16


class KvBlocks:
    """A bounded number of blocks; a full block is known by the hash of everything up to its end."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._users: dict[int, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._unnamed = 0
        self.queries = 0
        self.hits = 0

    @property
    def usage(self) -> float:
        """The share of blocks that running requests hold, from 0 to 1."""
        return (len(self._users) + self._unnamed) / self._total

    @property
    def _free(self) -> int:
        return self._total - len(self._users) - self._unnamed

    def lease(self, prompt: Sequence[int], salt: int = 0) -> "Lease | None":
        """Return the blocks for `prompt`, those that are cached shared; None when there is no room for the rest."""
        names = block_names(prompt, salt)
        # The last token is always computed, because its answer is what the request is about.
        usable = names[: (len(prompt) - 1) // BLOCK]
        cached = 0
        for name in usable:
            if name not in self._users and name not in self._idle:
                break
            cached += 1
        wanted = -(-len(prompt) // BLOCK)
        idle_hits = sum(name in self._idle for name in names[:cached])
        if wanted - cached + idle_hits > self._free:
            return None
        self.queries += len(prompt)
        self.hits += cached * BLOCK
        lease = Lease(self, salt, cached * BLOCK)
        for name in names:
            lease.names.append(name)
            self._use(name)
        lease.created_tokens = len(names) * BLOCK - lease.cached_tokens
        if len(prompt) % BLOCK:
            self.take_unnamed()
            lease.room = wanted * BLOCK - len(prompt)
        return lease

    def take_unnamed(self) -> bool:
        """Take a block that is not full yet; False when all are held."""
        if not self._free:
            return False
        self._unnamed += 1
        self._evict()
        return True

    def give_unnamed(self) -> None:
        """Give back a block that never got full."""
        self._unnamed -= 1

    def name(self, name: int) -> None:
        """Turn a held block that has become full into a named one, which others may share."""
        self._unnamed -= 1
        self._use(name)

    def release(self, names: Sequence[int]) -> None:
        """Let go of named blocks; they stay cached until their room is needed, the last of a prefix leaving first."""
        for name in reversed(names):
            left = self._users[name] - 1
            if left:
                self._users[name] = left
            else:
                del self._users[name]
                self._idle[name] = None

    def clear(self) -> None:
        """Forget what nobody holds."""
        self._idle.clear()

    def _use(self, name: int) -> None:
        self._idle.pop(name, None)
        self._users[name] = self._users.get(name, 0) + 1
        self._evict()

    def _evict(self) -> None:
        while len(self._idle) > self._free:
            self._idle.popitem(last=False)


class Lease:
    """The blocks that one running choice holds; `room` is how many more tokens fit into the last one."""

    __slots__ = ("_blocks", "_salt", "cached_tokens", "created_tokens", "names", "room")

    def __init__(self, blocks: KvBlocks, salt: int, cached_tokens: int) -> None:
        self._blocks = blocks
        self._salt = salt
        self.cached_tokens = cached_tokens
        self.created_tokens = 0
        self.names: list[int] = []
        self.room = 0

    def add_block(self) -> bool:
        """Make room for 16 more tokens; False when there is none, and nothing has changed."""
        if not self._blocks.take_unnamed():
            return False
        self.room = BLOCK
        return True

    def close_block(self, ids: Sequence[int]) -> None:
        """Give the block that has become full, and holds `ids`, the name under which others find it."""
        name = _chain(self.names[-1] if self.names else self._salt, ids)
        self._blocks.name(name)
        self.names.append(name)

    def release(self) -> None:
        """Give everything back."""
        if self.room:
            self._blocks.give_unnamed()
            self.room = 0
        self._blocks.release(self.names)
        self.names.clear()


def block_names(ids: Sequence[int], salt: int = 0) -> list[int]:
    """Return the names of the full blocks of `ids`, each made of its own tokens and the name before it."""
    names: list[int] = []
    before = salt
    for at in range(0, len(ids) - BLOCK + 1, BLOCK):
        before = _chain(before, ids[at : at + BLOCK])
        names.append(before)
    return names


def _chain(before: int, ids: Sequence[int]) -> int:
    return hash((before, *ids))
