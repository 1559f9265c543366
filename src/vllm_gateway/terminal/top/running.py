"""Runs `top`: the live screen, or one picture."""

import asyncio
import sys
from collections.abc import Callable
from importlib.util import find_spec

from vllm_gateway.clock import SystemClock
from vllm_gateway.terminal.api import Client, Target
from vllm_gateway.terminal.first_frame import first_frame
from vllm_gateway.terminal.plain import make_plain
from vllm_gateway.terminal.top.bars import Status
from vllm_gateway.terminal.top.feed import Feed, NoFleet
from vllm_gateway.terminal.top.glyphs import Glyphs, glyphs_for
from vllm_gateway.terminal.top.skeleton import skeleton
from vllm_gateway.terminal.top.wishes import Wishes

MISSING = (
    "vllm-gateway top needs Textual; install it with: pip install 'vllm-gateway[tui]'. "
    "Without it, --once prints one picture."
)


def run_once(target: Target, *, json: bool, width: int) -> int:
    """Print one picture; return the exit status."""
    from vllm_gateway.terminal.top.once import printed, printed_json  # noqa: PLC0415 - only one of the two ways is taken

    try:
        picture = asyncio.run(Feed(Client(target)).look())
    except NoFleet as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    glyphs = glyphs_for(sys.stdout.encoding, has_colors=False)
    text = printed_json(picture) if json else printed(picture, wall=SystemClock().wall(), glyphs=glyphs, width=width)
    sys.stdout.write(text)
    return 0


def run_live(find: Callable[[], Target | None], wishes: Wishes) -> int:
    """Show it until the user leaves; return the exit status.

    Args:
        find: Says where the admin listener is, after the first frame, for it may take a while; None when it is nowhere,
            which is then told already.
        wishes: How it is to look.
    """
    if find_spec("textual") is None:
        sys.stderr.write(f"{MISSING}\n")
        return 1
    terminal = sys.__stderr__
    if not (sys.stdin.isatty() and sys.stdout.isatty() and terminal is not None and terminal.isatty()):
        sys.stderr.write(
            "vllm-gateway top needs a terminal. For a pipe or a file there is --once, and --once --json.\n"
        )
        return 1
    is_plain = make_plain(terminal)
    glyphs = glyphs_for("ascii" if is_plain else "utf-8")
    status = Status(wishes.url or "", wishes.every_s, wishes.preset)
    with first_frame(terminal, sys.stdin, skeleton(status, wall=SystemClock().wall(), glyphs=glyphs)):
        target = find()
        return 1 if target is None else _shown(target, wishes, glyphs)


def _shown(target: Target, wishes: Wishes, glyphs: Glyphs) -> int:
    from vllm_gateway.terminal.themes.loading import ThemeUnknown  # noqa: PLC0415 - the first frame does not wait for it
    from vllm_gateway.terminal.top.app import Top  # noqa: PLC0415 - as above

    try:
        app = Top(
            Feed(Client(target)),
            clock=SystemClock(),
            theme=wishes.theme,
            has_background=wishes.has_background,
            every_s=wishes.every_s,
            preset=wishes.preset,
            keys=wishes.keys,
            glyphs=glyphs,
        )
    except ThemeUnknown as unknown:
        sys.stderr.write(f"{unknown}\n")
        return 1
    app.run()
    return app.return_code or 0
