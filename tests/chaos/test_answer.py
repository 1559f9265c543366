"""What is understood of an answer."""

from tests.chaos.scenes import told
from vllm_gateway.chaos.answer import Counted, message_of, read
from vllm_gateway.chaos.caller import Heard

ROLE = '{"id":"a","model":"m","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'
TEXT = '{"id":"a","model":"m","created":1,"choices":[{"index":0,"delta":{"content":"sn\\u00f6"}}]}'
LAST = '{"id":"a","model":"m","created":1,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
USAGE = '{"id":"a","model":"m","created":1,"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}'


def test_a_whole_stream_is_understood() -> None:
    """Text, role, finish reason, usage, name and end of a proper stream are found, each once."""
    answer = told(ROLE, TEXT, TEXT, LAST, USAGE, "[DONE]")
    assert (answer.text, answer.roles, answer.finishes, answer.dones) == ("snösnö", 1, ["stop"], 1)
    assert (answer.usages, answer.names) == ([Counted(3, 2)], {("a", "m", 1)})
    assert (answer.errors, answer.garbage, answer.late, answer.tells_token_ids) == ([], 0, 0, False)


def test_what_is_odd_is_counted() -> None:
    """Errors, events that are no JSON, events behind the end, other names and token ids are noticed."""
    other = '{"id":"b","model":"m","created":1,"choices":[{"delta":{"role":"assistant"},"token_ids":[1]}]}'
    answer = told(ROLE, "{", '{"error":{"message":"broken"}}', "[DONE]", other)
    assert (answer.errors, answer.garbage, answer.late, answer.roles) == (["broken"], 1, 1, 2)
    assert (len(answer.names), answer.tells_token_ids) == (2, True)


def test_half_an_event_at_the_end_is_garbage() -> None:
    """A stream that ends inside an event is not taken for a whole one."""
    heard = Heard(0.0, status=200, body=bytearray(f"data: {TEXT}\n\ndata: {{".encode()))
    answer = read(heard, is_stream=True)
    assert (answer.text, answer.garbage) == ("snö", 1)


def test_comments_and_carriage_returns_are_no_events() -> None:
    """What servers put between events changes nothing."""
    heard = Heard(0.0, status=200, body=bytearray(f": keep-alive\r\n\r\ndata: {TEXT}\r\n\r\n".encode()))
    answer = read(heard, is_stream=True)
    assert (answer.text, answer.garbage) == ("snö", 0)


def test_an_answer_in_one_piece_is_understood() -> None:
    """Chats and completions that are not streamed have text, finish reason and usage too."""
    chat = b'{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"length"}]}'
    plain = b'{"choices":[{"text":"hi","finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    for body, usages in ((chat, []), (plain, [Counted(1, 1)])):
        answer = read(Heard(0.0, status=200, body=bytearray(body)), is_stream=False)
        assert (answer.text, answer.finishes, answer.usages) == ("hi", ["length"], usages)
    assert read(Heard(0.0, status=200, body=bytearray(b"<html>")), is_stream=False).garbage == 1


def test_the_message_of_an_error_is_found() -> None:
    """Only errors as OpenAI writes them have one."""
    assert message_of(b'{"error":{"message":"too long"}}') == "too long"
    assert message_of(b'{"error":"Unauthorized"}') is None
    assert message_of(b"Bad Gateway") is None
