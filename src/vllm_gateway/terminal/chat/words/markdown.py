"""Markdown that grows: what is finished is laid out once, and only the block at the end again and again."""

from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.syntax import Syntax
from rich.text import Text
from textual.strip import Strip
from typing_extensions import override

from vllm_gateway.terminal.chat.words.look import Look

_PARSER = MarkdownIt().enable("strikethrough").enable("table")


def fences(text: str) -> list[str]:
    """Return the code blocks of a text, in order."""
    return [token.content for token in _PARSER.parse(text) if token.type in {"fence", "code_block"}]


class GrowingMarkdown:
    """The lines of a text at one width, while the text grows."""

    def __init__(self, look: Look, width: int) -> None:
        self._look = look
        self._width = width
        self._settled: list[Strip] = []
        self._settled_characters = 0

    def lines(self, text: str) -> list[Strip]:
        """Return the lines of `text`, which begins with what it was before."""
        tail = text[self._settled_characters :]
        blocks = _blocks(tail)
        if not blocks:
            return self._settled
        for block in blocks[:-1]:
            self._settled += [*self._block(block), Strip.blank(0)]
        last = blocks[-1]
        if len(blocks) > 1 and (start := last[0].map) is not None:
            self._settled_characters += len(tail) - len(tail.split("\n", start[0])[-1])
        return [*self._settled, *self._block(last)]

    def _block(self, tokens: list[Token]) -> list[Strip]:
        lines = self._look.lines(_Plain(tokens, self._look), self._width)
        while lines and not lines[-1].text.strip():
            lines.pop()
        while lines and not lines[0].text.strip():
            del lines[0]
        return lines


def _blocks(text: str) -> list[list[Token]]:
    """Return the tokens of each block of a text: paragraphs, lists as a whole, code, ..."""
    blocks: list[list[Token]] = []
    for token in _PARSER.parse(text):
        if token.level == 0 and token.nesting >= 0:
            blocks.append([])
        blocks[-1].append(token)
    return blocks


class _Plain(Markdown):
    """Markdown as a terminal likes it: headings at the left, code with a line beside it and no box around."""

    elements: ClassVar[dict[str, type[MarkdownElement]]]

    def __init__(self, tokens: list[Token], look: Look) -> None:
        # What Markdown.__init__ does, without a new parser each time: making one takes longer than all the rest.
        self.markup = ""
        self.parsed = tokens
        self.code_theme = self.inline_code_theme = ""
        self.justify = None
        self.style = "none"
        self.hyperlinks = False
        self.inline_code_lexer = None
        self.look = look


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar = dict.fromkeys(Heading.LEVEL_ALIGN, "left")


class _Code(CodeBlock):
    """A code block."""

    @override
    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> "_Code":
        made = cls(token.info.partition(" ")[0] or "text", "")
        made.look = markdown.look if isinstance(markdown, _Plain) else None
        return made

    look: Look | None = None

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        look = self.look
        if look is None:
            return
        syntax = Syntax(str(self.text).rstrip(), self.lexer_name, theme=look.code, word_wrap=True)
        bar = Segment("│ ", look.line)
        if self.lexer_name != "text":
            yield Text.assemble(("╭ ", look.line), (self.lexer_name, look.muted))
        for line in console.render_lines(syntax, options.update(width=max(options.max_width - 2, 1)), pad=False):
            yield bar
            yield from line
            yield Segment.line()


_Plain.elements = {
    **Markdown.elements,
    "heading_open": _Heading,
    "fence": _Code,
    "code_block": _Code,
}
