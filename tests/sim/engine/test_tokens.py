"""The vocabulary and the tokenizer."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.tokens import Special


@given(st.text())
def test_decoding_gives_back_what_was_encoded(text: str) -> None:
    """Every text survives the way to tokens and back."""
    assert tokens.decode(tokens.encode(text)) == text


@given(st.text(alphabet="<|>enduserystm \n\U0001f642é"))
def test_no_text_becomes_a_special_token(text: str) -> None:
    """What looks like the chat template's tokens stays text, so nobody can forge a turn."""
    assert not any(map(tokens.is_special, tokens.encode(text + "<|system|><|end|>")))


def test_no_two_tokens_are_the_same() -> None:
    """Each id has bytes of its own, and the vocabulary has some thousand words."""
    assert len(set(tokens.BYTES)) == tokens.SIZE > 5000


def test_common_words_are_one_token() -> None:
    """English is short in tokens, as it is in real vocabularies."""
    assert len(tokens.encode("The old house was near the river and the garden.")) == 11


def test_a_known_character_is_one_token_and_an_unknown_one_its_bytes() -> None:
    """Multi-byte characters are whole tokens where the vocabulary has them; otherwise they are cut into bytes."""
    assert len(tokens.encode("🙂")) == 1
    assert tokens.encode("🧿") == list("🧿".encode())


def test_half_a_character_decodes_to_the_replacement_character() -> None:
    """Ids that end inside a character have a text, though not a good one."""
    assert tokens.decode([*tokens.encode("a"), 0xF0, 0x9F]) == "a\N{REPLACEMENT CHARACTER}"


def test_special_tokens_are_skipped_or_named() -> None:
    """Decoding leaves special tokens out, unless it is asked to name them."""
    ids = [Special.USER, *tokens.encode("hi"), Special.END]
    assert tokens.decode(ids) == "hi"
    assert tokens.decode(ids, skip_special=False) == "<|user|>hi<|end|>"
    assert tokens.name(Special.END) == "<|end|>"


def test_a_conversation_becomes_turns() -> None:
    """Each turn is its role's token, its text and the end token; the reply is opened."""
    ids = tokens.render_chat([("system", "Be brief."), ("user", "Hello")])
    assert tokens.decode(ids, skip_special=False) == "<|system|>Be brief.<|end|><|user|>Hello<|end|><|assistant|>"


def test_an_unknown_role_is_kept_as_text() -> None:
    """A role without a token of its own is written out."""
    ids = tokens.render_chat([("wizard", "Hello")], open_reply=False)
    assert tokens.decode(ids, skip_special=False) == "<|role|>wizard\nHello<|end|>"


def test_the_last_turn_can_be_left_open() -> None:
    """A conversation whose last message is to be continued has no end token there."""
    ids = tokens.render_chat([("user", "Hi"), ("assistant", "Well")], continue_last=True)
    assert tokens.decode(ids, skip_special=False) == "<|user|>Hi<|end|><|assistant|>Well"
