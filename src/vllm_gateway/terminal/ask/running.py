"""Asks, prints, and says with its exit status how that went."""

import asyncio
import io
import sys
from contextlib import aclosing
from dataclasses import replace

from vllm_gateway.clock import SystemClock
from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.faults import Fault, Refused, Unreachable
from vllm_gateway.terminal.api.reply import Reply
from vllm_gateway.terminal.api.target import Target
from vllm_gateway.terminal.ask.printing import Printer, as_json
from vllm_gateway.terminal.ask.question import Question
from vllm_gateway.terminal.ask.steps import walk

COMPLETE, FAILED, INTERRUPTED = 0, 1, 130
_WHOLE = {"stop", "tool_calls", "function_call"}


def run(target: Target, question: Question, *, by_step: bool = False) -> int:
    """Ask, print the answer, and return the exit status; with `by_step` show every call of a session instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no UTF-8 shows a question mark and goes on
    client = Client(target)
    try:
        return asyncio.run(_walked(client, question) if by_step else _asked(client, question))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except Fault as fault:
        sys.stdout.flush()
        sys.stderr.write(f"vllm-gateway ask: {fault}\n")
        return FAILED


async def _walked(client: Client, question: Question) -> int:
    await walk(client, question if question.model else replace(question, model=await _first_model(client)), sys.stdout)
    return COMPLETE


async def _asked(client: Client, question: Question) -> int:
    """Ask, and where the gateway wants a model to be named, ask the first that it has."""
    try:
        return await _answered(client, question)
    except Refused as refusal:
        if question.model or refusal.param != "model":
            raise
    model = await _first_model(client)
    sys.stderr.write(f"vllm-gateway ask: {model} answers; --model names another one.\n")
    return await _answered(client, replace(question, model=model))


async def _first_model(client: Client) -> str:
    rows = (await client.get("/v1/models"))["data"]
    if not rows:
        raise Unreachable("The gateway has no model now. Try again when a model server has started.")
    return str(rows[0]["id"])


async def _answered(client: Client, question: Question) -> int:
    now = SystemClock.now
    reply, printer = Reply(asked_at=now()), Printer(sys.stdout)
    try:
        if question.is_streamed:
            async with aclosing(client.stream(question.path, question.body())) as events:
                async for event in events:
                    text = reply.take(event, now()).text
                    printer.add("" if question.is_json else text)
        else:
            whole = await client.post(question.path, question.body(), patience_s=None)
            text = reply.take_whole(whole, now()).text
            printer.add("" if question.is_json else text)
    finally:
        printer.end()
    if question.is_json:
        sys.stdout.write(as_json(reply, question.session))
    return _judged(reply, question)


def _judged(reply: Reply, question: Question) -> int:
    """Return whether the answer is complete, and say it when it is not."""
    reason = reply.finish_reason
    if reason in _WHOLE or (reason == "length" and question.may_be_cut):
        return COMPLETE
    why = "at the most tokens that it may have" if reason == "length" else f"with the reason '{reason}'"
    sys.stderr.write(f"vllm-gateway ask: the answer is not complete: it ended {why}.\n")
    return FAILED
