"""`vllm-gateway ask`."""

import sys
from dataclasses import asdict, dataclass
from typing import Annotated

from cyclopts import CycloptsError, Parameter


@dataclass(frozen=True)
class Sampling:
    """How the model shall answer."""

    temperature: float | None = None
    """From 0 (always the likeliest word) to 2."""
    top_p: float | None = None
    """Share of the likely words that are drawn from, from 0 to 1."""
    max_tokens: int | None = None
    """Most tokens of the answer; one that is cut there counts as complete."""
    seed: int | None = None
    """The same seed gives the same answer, as far as the server can."""


@dataclass(frozen=True)
class Printing:
    """How the answer is printed."""

    json: bool = False
    """Print one JSON object at the end: content, finish_reason, usage, times."""
    no_stream: bool = False
    """Print the answer in one piece."""
    step: bool = False
    """Show each call of a session as a curl line with its reply."""


_USUAL, _PLAIN = Sampling(), Printing()


def ask(
    question: str | None = None,
    /,
    *,
    url: str | None = None,
    api_key: str | None = None,
    model: str | None = None,
    system: str | None = None,
    session: str | None = None,
    profile: str | None = None,
    sampling: Annotated[Sampling, Parameter(name="*")] = _USUAL,
    printing: Annotated[Printing, Parameter(name="*")] = _PLAIN,
) -> int:
    """Ask one question, and print the answer as it comes.

    Nothing but the answer is written to stdout. What is piped in is asked too, behind the question.

    Exit status: 0 the answer is complete, 1 it is not or there is none, 2 wrong usage, 130 interrupted.

    For example: vllm-gateway ask "Why is the sky blue?"

    With a file: cat build.log | vllm-gateway ask "What failed?"

    In a conversation: vllm-gateway ask --session sess_0123456789abcdef0123456789abcdef "And why?"

    For a script: vllm-gateway ask --json --max-tokens 100 "Name three colours" | jq -r .content

    As a guide for a client of your own: vllm-gateway ask --step "Hello"

    Args:
        question: What is asked; it may be piped in instead.
        url: Address of the gateway. [env: VLLM_GATEWAY_URL] [default: http://127.0.0.1:8080]
        api_key: Key that the gateway wants. [env: VLLM_GATEWAY_API_KEY]
        model: Model that shall answer. [default: the gateway's]
        system: What the model is told first; with --session the session's own counts.
        session: Id of a conversation that goes on with this question.
        profile: Name of a profile in terminal.toml.
        sampling: How the model shall answer.
        printing: How the answer is printed.

    Returns:
        The exit status.
    """
    return _asked(question, Place(url, api_key), Profiled(model, system, session, profile), sampling, printing)


@dataclass(frozen=True)
class Place:
    """Where the gateway is."""

    url: str | None
    api_key: str | None


@dataclass(frozen=True)
class Profiled:
    """Who shall answer, and in which conversation."""

    model: str | None
    system: str | None
    session: str | None
    profile: str | None


def _asked(question: str | None, place: Place, who: Profiled, sampling: Sampling, printing: Printing) -> int:
    from vllm_gateway.terminal.ask import Question, run  # noqa: PLC0415 - keeps --help quick
    from vllm_gateway.terminal.ask.question import joined  # noqa: PLC0415 - as above
    from vllm_gateway.terminal.parameters import Parameters  # noqa: PLC0415 - as above
    from vllm_gateway.terminal.settings import Profile, SettingsMistaken, load_settings, over  # noqa: PLC0415 - as above

    try:
        settings = load_settings(url=place.url, api_key=place.api_key)
        given = Profile(who.model, who.system, Parameters.read(asdict(sampling)))
        chosen, target = over(given, settings.named(who.profile)), settings.target()
        if printing.step and who.session:
            raise ValueError("--step begins a session of its own; leave --session out.")  # noqa: TRY301 - one way out
        text = joined(question, None if sys.stdin is None or sys.stdin.isatty() else _piped())
    except (SettingsMistaken, ValueError) as mistake:
        raise CycloptsError(msg=str(mistake)) from mistake
    asked = Question(
        text,
        # A conversation has a model and a system prompt of its own.
        model=who.model if who.session else chosen.model,
        system=chosen.system,
        session=who.session,
        parameters=chosen.parameters,
        is_streamed=not printing.no_stream,
        is_json=printing.json,
        may_be_cut=sampling.max_tokens is not None,
    )
    return run(target, asked, by_step=printing.step)


def _piped() -> str:
    """Return what is piped in; what is no UTF-8 in it is replaced, because logs are like that."""
    return sys.stdin.buffer.read().decode("utf-8", errors="replace")
