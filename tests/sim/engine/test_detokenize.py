"""Text that lags behind its tokens."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.detokenize import StopWatch, TextStream

IDS = st.lists(st.integers(min_value=0, max_value=tokens.SIZE - 1), max_size=30)


@given(st.text(), st.text())
def test_the_pieces_of_a_text_are_the_text(prompt: str, text: str) -> None:
    """Nothing is lost or added, and no piece has half a character."""
    stream = TextStream(tokens.encode(prompt))
    pieces = [stream.feed(token) for token in tokens.encode(text)]
    if not text.endswith("\N{REPLACEMENT CHARACTER}") and not prompt.endswith("\N{REPLACEMENT CHARACTER}"):
        assert "".join(pieces) == text


@given(IDS)
def test_no_piece_ends_in_half_a_character(ids: list[int]) -> None:
    """Bytes that may still become a character are held back."""
    stream = TextStream(())
    assert not any(stream.feed(token).endswith("\N{REPLACEMENT CHARACTER}") for token in ids)


def test_a_character_comes_with_its_last_byte() -> None:
    """The tokens before have no text."""
    stream = TextStream(tokens.encode("Hi "))
    assert [stream.feed(byte) for byte in "🧿".encode()] == ["", "", "", "🧿"]


def test_a_prompt_that_ends_inside_a_character_is_told_whole() -> None:
    """The trap of a real vLLM: the first text then is the decoded prompt and what was meant."""
    prompt = [*tokens.encode("PROMPT: secret. Answer: hi "), *"👋".encode()[:1]]
    stream = TextStream(prompt)
    assert [stream.feed(byte) for byte in "👋".encode()[1:]] == ["", "", "PROMPT: secret. Answer: hi 👋"]
    assert stream.feed(tokens.ID_OF["!"]) == "!"


def test_the_prompt_is_told_even_if_the_character_is_never_finished() -> None:
    """A token that does not finish the character lets the prompt out all the same."""
    stream = TextStream([*tokens.encode("secret "), 0xF0])
    assert stream.feed(tokens.ID_OF[" house"]) == "secret \N{REPLACEMENT CHARACTER} house"


def test_special_tokens_have_no_text_unless_wanted() -> None:
    """The end token is silent, or named."""
    assert TextStream(()).feed(tokens.Special.END) == ""
    assert TextStream((), skip_special=False).feed(tokens.Special.END) == "<|end|>"


def fed(watch: StopWatch, pieces: list[str]) -> tuple[list[str], str | None]:
    """Feed pieces until one stops; return what was sent each time, and the stop string."""
    sent = []
    for at, piece in enumerate(pieces):
        stop = watch.feed(piece)
        sent.append(watch.take(is_last=stop is not None or at == len(pieces) - 1))
        if stop is not None:
            return sent, stop
    return sent, None


def test_what_may_become_a_stop_string_is_held_back() -> None:
    """One character less than the longest stop string waits, and the rest flows."""
    assert fed(StopWatch(["STOP"]), ["abcde", "fST", "x"]) == (["ab", "cde", "fSTx"], None)


def test_a_stop_string_is_found_across_pieces_and_left_out() -> None:
    """The text ends before it, wherever tokens begin and end."""
    assert fed(StopWatch(["STOP"]), ["abS", "TO", "Pxyz"]) == (["", "ab", ""], "STOP")


def test_a_stop_string_can_be_kept() -> None:
    """Then nothing is held back, and the text ends after it."""
    assert fed(StopWatch(["STOP"], include=True), ["abS", "TO", "Pxyz"]) == (["abS", "TO", "P"], "STOP")


def test_of_several_stop_strings_the_one_that_ends_first_counts() -> None:
    """The order of the list does not matter."""
    assert fed(StopWatch(["yz", "b"]), ["abyz"]) == (["a"], "b")


def test_stop_strings_wait_for_the_minimum_of_tokens() -> None:
    """What comes before the minimum is no stop."""
    assert fed(StopWatch(["b"], min_tokens=1), ["b", "ab"]) == (["b", "a"], "b")


@given(st.lists(st.text(alphabet="ab"), max_size=12), st.lists(st.text("ab", min_size=1, max_size=3), min_size=1))
def test_however_the_text_is_cut_the_same_is_sent(pieces: list[str], stops: list[str]) -> None:
    """What was sent is the text up to the first stop string, and it never has to be taken back."""
    watch = StopWatch(stops)
    sent, stop = fed(watch, pieces)
    assert "".join(sent) == watch.text
    assert (stop is None) == (not any(one in "".join(pieces) for one in stops))


@given(IDS, IDS)
def test_joined_pieces_are_the_decoded_whole_up_to_what_is_held(prompt: list[int], ids: list[int]) -> None:
    """Whatever the tokens are, broken bytes and special ones among them, the pieces are a beginning of their text."""
    stream = TextStream(prompt)
    tells_prompt = bool(stream._held)
    joined = "".join(stream.feed(token) for token in ids)
    whole = tokens.decode([*prompt, *ids] if tells_prompt else ids)
    assert whole.startswith(joined)
    assert len(whole) == len(joined) or whole.endswith("\N{REPLACEMENT CHARACTER}")
