"""Runs `top`: the live screen, or one picture."""

import asyncio
import sys

from vllm_gateway.clock import SystemClock
from vllm_gateway.terminal.api import Client, Target
from vllm_gateway.terminal.top.feed import Feed, NoFleet
from vllm_gateway.terminal.top.glyphs import glyphs_for
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


def run_live(target: Target, wishes: Wishes) -> int:
    """Show it until the user leaves; return the exit status."""
    try:
        from vllm_gateway.terminal.themes.loading import ThemeUnknown  # noqa: PLC0415 - below needs an extra
        from vllm_gateway.terminal.top.app import Top  # noqa: PLC0415 - as above
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "textual":
            raise
        sys.stderr.write(f"{MISSING}\n")
        return 1
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.stderr.write(
            "vllm-gateway top needs a terminal. For a pipe or a file there is --once, and --once --json.\n"
        )
        return 1
    try:
        app = Top(
            Feed(Client(target)),
            clock=SystemClock(),
            theme=wishes.theme,
            has_background=wishes.has_background,
            every_s=wishes.every_s,
            preset=wishes.preset,
            keys=wishes.keys,
            glyphs=glyphs_for(sys.stdout.encoding),
        )
    except ThemeUnknown as unknown:
        sys.stderr.write(f"{unknown}\n")
        return 1
    app.run()
    return app.return_code or 0
