"""What is seen of an answer."""

import io

from typing_extensions import override

from vllm_gateway import codec
from vllm_gateway.terminal.api.reply import Reply
from vllm_gateway.terminal.ask.printing import Printer, as_json


def test_the_last_line_is_ended_once() -> None:
    """Whether the answer ends with a line's end or not; nothing at all stays nothing."""
    for pieces, seen in ((["a", "", "b"], "ab\n"), (["a\n"], "a\n"), ([], "")):
        paper = io.StringIO()
        printer = Printer(paper)
        for piece in pieces:
            printer.add(piece)
        printer.end()
        assert paper.getvalue() == seen


def test_json_is_one_line_with_all_that_is_known() -> None:
    """What is not known is null."""
    reply = Reply(asked_at=1.0)
    usage = {"prompt_tokens": 3, "completion_tokens": 3}
    reply.take({"choices": [{"delta": {"content": "Yes"}}]}, 1.1)
    reply.take({"model": "m", "choices": [{"delta": {"content": "."}, "finish_reason": "stop"}], "usage": usage}, 1.2)
    line = as_json(reply, None)
    assert line.count("\n") == 1
    assert codec.loads(line) == {
        "content": "Yes.",
        "thinking": None,
        "finish_reason": "stop",
        "model": "m",
        "session": None,
        "usage": usage,
        "ttft_ms": 100.0,
        "took_ms": 200.0,
        "tokens_per_s": 20.0,
    }


class Screen(io.StringIO):
    """A terminal."""

    @override
    def isatty(self) -> bool:
        return True


def test_an_answer_cannot_steer_a_terminal() -> None:
    """In a file it is what the model said."""
    for paper, seen in ((Screen(), "a\ufffd[2J"), (io.StringIO(), "a\x1b[2J")):
        Printer(paper).add("a\x1b[2J")
        assert paper.getvalue() == seen
