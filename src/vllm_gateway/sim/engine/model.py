"""What stands where a model would: the next token as a pure function of (model name, seed, all tokens before it).

Readable nonsense. `grammar` says which tokens may follow; which of them does comes from a hash over every id so far.
The hash grows by one id at a time, so a token costs the same at any length, and a text continued from `prompt + the
first k tokens` goes on exactly as the text that was never cut.
"""

import math
import struct
import zlib
from collections.abc import Sequence

from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.characters import next_byte, still_open
from vllm_gateway.sim.engine.grammar import BEGINNING, CHOICES, KIND_OF, NEXT, Kind

_MASK = (1 << 64) - 1
_RANKS = 32
"""How many next tokens have a probability worth a name."""
_PIECE = Kind.PIECE
_LN2 = math.log(2)


def mix(value: int) -> int:
    """Spread 64 bits so that every bit of the answer depends on every bit of `value` (the splitmix64 finisher)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _confidence(mixed: int) -> float:
    """Return the probability of the likeliest token: more than 1/3, so that the next, with half the rest, has less."""
    return 0.35 + 0.6 * ((mixed >> 40) & 1023) / 1024


class Sampling:
    """How a token is drawn; temperature 0 takes the likeliest."""

    __slots__ = ("_is_greedy", "_most", "_power", "_salt", "_top_p")

    def __init__(
        self, temperature: float = 0.0, *, top_p: float = 1.0, top_k: int = 0, seed: int = 0, choice: int = 0
    ) -> None:
        self._is_greedy = not temperature or top_k == 1
        self._power = max(0.25, temperature)
        self._top_p = top_p
        self._most = top_k - 1 if top_k > 1 else _RANKS
        self._salt = mix((seed << 16) + choice + 1)

    def rank(self, mixed: int) -> int:
        """Return which of the likeliest tokens is drawn, 0 for the likeliest of all."""
        if self._is_greedy:
            return 0
        dice = mix(mixed ^ self._salt)
        likeliest = _confidence(mixed) ** self._power
        if self._top_p <= likeliest or (dice & 0xFFF) < likeliest * 0x1000:
            return 0
        tail = (dice >> 12) | (1 << 20)
        return min((tail & -tail).bit_length(), self._most)


GREEDY = Sampling()


class Model:
    """A name and a seed, which are all the weights there are."""

    def __init__(self, name: str, seed: int = 0) -> None:
        self.name = name
        self._first = zlib.crc32(name.encode(), seed & 0xFFFFFFFF)

    def read(self, ids: Sequence[int]) -> "Mind":
        """Return what the model knows after `ids`."""
        return Mind(self._first, ids)


class Mind:
    """The model's state after some ids: a hash over all of them, and where in a sentence it is."""

    __slots__ = ("_hash", "_open", "_state")

    def __init__(self, first: int, ids: Sequence[int]) -> None:
        self._hash = zlib.crc32(struct.pack(f"<{len(ids)}I", *ids), first)
        self._state = BEGINNING
        self._open = b""
        for token in ids[_last_start(ids) :]:
            self._notice(token)

    def feed(self, token: int) -> None:
        """Learn that `token` came next."""
        self._hash = zlib.crc32(token.to_bytes(4, "little"), self._hash)
        self._notice(token)

    def draw(self, sampling: Sampling = GREEDY) -> int:
        """Return the next token."""
        mixed = mix(self._hash)
        rank = sampling.rank(mixed)
        return self._token(mix(mixed + rank) if rank else mixed)

    def candidates(self, count: int) -> list[tuple[int, float]]:
        """Return the `count` likeliest next tokens and their log probabilities, the likeliest first."""
        mixed = mix(self._hash)
        found: dict[int, None] = {}
        for attempt in range(8 * _RANKS):
            found.setdefault(self._token(mix(mixed + attempt) if attempt else mixed))
            if len(found) >= count:
                break
        for token in range(tokens.SIZE) if len(found) < count else ():
            found.setdefault(token)
        best = _confidence(mixed)
        rest = math.log(1 - best)
        ranked = list(found)[:count]
        return [(token, math.log(best) if not rank else rest - rank * _LN2) for rank, token in enumerate(ranked)]

    def logprob(self, token: int) -> float:
        """Return the log probability of `token` as the next one."""
        for candidate, logprob in self.candidates(_RANKS):
            if candidate == token:
                return logprob
        return -12.0 - (mix(self._hash + token) % 4096) / 1024

    def _notice(self, token: int) -> None:
        kind = KIND_OF[token]
        self._state = NEXT[self._state][kind]
        if kind is _PIECE:
            self._open = still_open(self._open, tokens.BYTES[token])
        elif self._open:
            self._open = b""

    def _token(self, mixed: int) -> int:
        if self._open:
            return next_byte(self._open, mixed)
        groups = CHOICES[self._state]
        group = groups[(mixed >> 8) % len(groups)]
        return group[(mixed >> 16) % len(group)]


def _last_start(ids: Sequence[int]) -> int:
    """Return the place of the last token that makes all before it, but for the hash, no matter."""
    for at in range(len(ids) - 1, -1, -1):
        if KIND_OF[ids[at]] is Kind.START:
            return at
    return 0
