"""The KV cache."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vllm_gateway.sim.engine.blocks import BLOCK, KvBlocks, Lease, block_names

PROMPT = list(range(100))


def test_the_second_reader_of_a_prompt_finds_its_full_blocks() -> None:
    """Whole blocks are cached, the rest is computed again."""
    kv = KvBlocks(100)
    first = kv.lease(PROMPT)
    assert first is not None
    first.release()
    second = kv.lease(PROMPT)
    assert second is not None
    assert (first.cached_tokens, first.created_tokens) == (0, 96)
    assert (second.cached_tokens, second.created_tokens) == (96, 0)
    assert (kv.queries, kv.hits) == (200, 96)


def test_the_last_token_is_always_computed() -> None:
    """A prompt that is cached to its end still computes its last block, for the token that comes next."""
    kv = KvBlocks(100)
    for expected in (0, 16):
        lease = kv.lease(PROMPT[:32])
        assert lease is not None
        assert lease.cached_tokens == expected
        lease.release()


def test_a_salt_keeps_prompts_apart() -> None:
    """Who has another salt finds nothing, so cannot tell what others asked."""
    kv = KvBlocks(100)
    assert kv.lease(PROMPT, salt=1) is not None
    lease = kv.lease(PROMPT, salt=2)
    assert lease is not None
    assert lease.cached_tokens == 0


def test_a_different_beginning_makes_everything_after_it_different() -> None:
    """A block's name depends on all before it."""
    assert not set(block_names(PROMPT)) & set(block_names([7, *PROMPT[1:]]))


def test_answers_are_cached_too() -> None:
    """A conversation's next turn finds the last answer."""
    kv = KvBlocks(100)
    lease = kv.lease(PROMPT[:20])
    assert lease is not None
    answer = list(range(500, 520))
    ids = PROMPT[:20] + answer
    for end in range(21, 41):
        if not lease.room:
            assert lease.add_block()
        lease.room -= 1
        if not lease.room:
            lease.close_block(ids[end - BLOCK : end])
    lease.release()
    following = kv.lease(ids + [1] * 8)
    assert following is not None
    assert following.cached_tokens == 32


def test_no_room_is_told_and_changes_nothing() -> None:
    """A prompt that does not fit waits, and the cache stays as it was."""
    kv = KvBlocks(8)
    held = kv.lease(PROMPT)
    assert held is not None
    usage = kv.usage
    assert kv.lease(list(range(1000, 1100))) is None
    assert (kv.usage, kv.queries) == (usage, 100)


def test_the_least_recently_used_leaves_first() -> None:
    """When room is needed, what was used long ago is forgotten, the end of a prefix before its beginning."""
    kv = KvBlocks(10)
    for start in (0, 1000):
        lease = kv.lease(list(range(start, start + 64)))
        assert lease is not None
        lease.release()
    new = kv.lease(list(range(2000, 2064)))
    assert new is not None
    recent = kv.lease([*range(1000, 1064), 1])
    assert recent is not None
    assert recent.cached_tokens == 64
    recent.release()
    old = kv.lease([*range(64), 1])
    assert old is not None
    assert old.cached_tokens == 16


def test_forgetting_empties_the_cache() -> None:
    """After `clear`, nothing that nobody holds is found again."""
    kv = KvBlocks(10)
    lease = kv.lease(PROMPT)
    assert lease is not None
    lease.release()
    kv.clear()
    again = kv.lease(PROMPT)
    assert again is not None
    assert again.cached_tokens == 0


class AnyUse(RuleBasedStateMachine):
    """Leases come, grow and go in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.kv = KvBlocks(12)
        self.held: list[tuple[Lease, list[int]]] = []

    @rule(size=st.integers(1, 90), start=st.integers(0, 2))
    def take(self, size: int, start: int) -> None:
        """Lease the blocks of a prompt; some share a beginning."""
        ids = [start] * size
        lease = self.kv.lease(ids)
        if lease is not None:
            self.held.append((lease, ids))

    @rule(data=st.data())
    def grow(self, data: st.DataObject) -> None:
        """Add a token to a lease, if there is room."""
        if not self.held:
            return
        lease, ids = data.draw(st.sampled_from(self.held))
        if not lease.room and not lease.add_block():
            return
        ids.append(9)
        lease.room -= 1
        if not lease.room:
            lease.close_block(ids[-BLOCK:])

    @rule(data=st.data())
    def give(self, data: st.DataObject) -> None:
        """Release a lease."""
        if self.held:
            lease, _ = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
            lease.release()

    @invariant()
    def no_block_is_lost_or_made_up(self) -> None:
        """Use is between nothing and all, and nothing is used when nobody holds anything."""
        assert 0 <= self.kv.usage <= 1
        assert self.held or self.kv.usage == 0


AnyUse.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestAnyUse = AnyUse.TestCase
