"""Characters that are written byte by byte."""

from hypothesis import given
from hypothesis import strategies as st

from vllm_gateway.sim.engine import tokens
from vllm_gateway.sim.engine.characters import CHARACTERS, first_piece, may_split, next_byte, still_open


@given(st.sampled_from(CHARACTERS), st.integers(min_value=0))
def test_a_begun_character_is_finished(character: bytes, dice: int) -> None:
    """Whatever first piece of a character is there, the bytes that follow make a whole character of it."""
    written = tokens.BYTES[first_piece(character, dice)]
    while opening := still_open(b"", written):
        written += bytes((next_byte(opening, dice),))
    assert len(written.decode()) == 1


@given(st.characters(min_codepoint=0x80, exclude_categories=["Cs"]), st.data())
def test_any_beginning_of_any_character_can_be_finished(character: str, data: st.DataObject) -> None:
    """A prompt may end inside a character that the vocabulary does not have; it is finished all the same."""
    octets = character.encode()
    written = octets[: data.draw(st.integers(min_value=1, max_value=len(octets) - 1))]
    while opening := still_open(b"", written):
        written += bytes((next_byte(opening, data.draw(st.integers(min_value=0, max_value=999))),))
    assert len(written.decode()) == 1


@given(st.binary(max_size=6))
def test_only_the_end_can_be_open(octets: bytes) -> None:
    """What waits for more is the end of what is there, and never as long as a whole character."""
    opening = still_open(b"", octets)
    assert octets.endswith(opening)
    assert len(opening) < 4


def test_words_cannot_be_parts_of_characters() -> None:
    """Only bytes beyond ASCII and the fragments may be."""
    assert not may_split(tokens.ID_OF[" house"])
    assert not may_split(ord("a"))
    assert may_split(0xF0)
    assert may_split(tokens.SIZE - 1)
