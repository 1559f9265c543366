"""What one replica's prefix cache most likely holds."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.exchange import Usage
from vllm_gateway.routing.prefix_model import PrefixModel

PROMPTS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 40)).map(lambda made: chain(made[0], made[1])), max_size=60
)


def chain(name: int, length: int) -> list[int]:
    """Return the blocks of a prompt; those of equal names begin alike."""
    return [name * 1000 + place for place in range(length)]


@given(PROMPTS, st.integers(2, 100))
def test_memory_is_bounded(prompts: list[list[int]], most: int) -> None:
    """Whatever comes, no more blocks are kept than were allowed."""
    model = PrefixModel(most)
    for prompt in prompts:
        model.add(prompt)
        assert len(model) <= most


@given(PROMPTS, PROMPTS, st.integers(2, 100))
def test_what_is_known_of_a_prompt_is_its_beginning(
    prompts: list[list[int]], others: list[list[int]], most: int
) -> None:
    """Every block up to the place is known, and none behind it: nothing is found without what was before it."""
    model = PrefixModel(most)
    for prompt in prompts:
        model.add(prompt)
    kept = model._young | model._old
    for prompt in prompts + others:
        known = model.known(prompt)
        assert all(block in kept for block in prompt[:known])
        assert not any(block in kept for block in prompt[known:])
        assert not prompt or model.knows(prompt[0]) is (known > 0)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30))
def test_what_was_used_lately_is_known(lengths: list[int]) -> None:
    """At least as many blocks back as half of what may be kept."""
    model = PrefixModel(100)
    prompts = [chain(name, length) for name, length in enumerate(lengths)]
    for prompt in prompts:
        model.add(prompt)
    since = 0
    for prompt in reversed(prompts):
        since += len(prompt)
        if since > 30:  # half of what may be kept, less one prompt that did not fit any more
            break
        assert model.known(prompt) == len(prompt)


def test_what_is_used_again_outlives_what_is_not() -> None:
    """A prompt that comes again and again is never forgotten."""
    model = PrefixModel(100)
    hot = chain(0, 10)
    model.add(chain(1, 10))
    for name in range(2, 40):
        model.add(hot)
        assert model.known(hot) == 10
        model.add(chain(name, 10))
    assert model.known(chain(1, 10)) == 0


def test_of_a_prompt_that_is_too_long_the_beginning_is_kept() -> None:
    """It does not push out more than itself."""
    model = PrefixModel(20)
    model.add(chain(1, 50))
    assert model.known(chain(1, 50)) == 10


def test_trust_falls_with_wrong_guesses_and_comes_back() -> None:
    """After some dozens of prompts that were not there it says nothing any more."""
    model = PrefixModel(100)
    model.learn(Usage(1000, 10, cached_tokens=900), share=0.9)
    assert model.trust == 1.0
    for _ in range(50):
        model.learn(Usage(1000, 10, cached_tokens=0), share=0.9)
    assert model.trust < 0.05
    for _ in range(50):
        model.learn(Usage(1000, 10, cached_tokens=800), share=0.9)
    assert model.trust > 0.95


def test_half_of_what_was_promised_is_enough() -> None:
    """Replicas cut blocks elsewhere, and templates add text of their own."""
    for cached, is_right in ((500, True), (399, False)):
        model = PrefixModel(100)
        model.learn(Usage(1000, 10, cached_tokens=cached), share=0.8)
        assert (model.trust == 1.0) is is_right


def test_a_replica_that_tells_nothing_is_believed() -> None:
    """Without the option that makes vLLM tell, every answer says that nothing was cached."""
    model = PrefixModel(100)
    for _ in range(50):
        model.learn(Usage(1000, 10, cached_tokens=0), share=0.9)
    assert model.trust == 1.0
