"""A conversation as the chat knows it; the gateway keeps it, so it can be gone on with elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vllm_gateway.terminal.api.client import Client
from vllm_gateway.terminal.api.faults import Unreachable
from vllm_gateway.terminal.chat.words.entry import Entry, Kind, State
from vllm_gateway.terminal.parameters import Parameters

_TITLE_CHARACTERS = 60
_PAGE = 100
_MESSAGES = 1000


@dataclass(slots=True)
class Conversation:
    """What has been said, and how the next answer is to be given."""

    session: str | None = None
    """None: nothing of it has reached the gateway yet."""
    title: str | None = None
    model: str | None = None
    """None leaves the choice to the gateway."""
    system: str | None = None
    parameters: Parameters = field(default_factory=Parameters)
    entries: list[Entry] = field(default_factory=list)
    context_tokens: int = 0
    """Tokens of the last prompt and its answer."""

    def kept(self) -> list[dict[str, str]]:
        """Return what the gateway has kept, as messages."""
        said = [entry for entry in self.entries if entry.kind is not Kind.NOTE and entry.place is not None]
        return [{"role": entry.kind.value, "content": entry.text} for entry in said]

    def before(self, entry: Entry) -> list[Entry]:
        """Return what was kept before an entry."""
        return [each for each in self.entries[: self.entries.index(entry)] if each.place is not None]


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation in a list."""

    id: str
    title: str
    model: str
    turns: int
    used: float


def title_of(text: str) -> str:
    """Return what a conversation that begins with this is called."""
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 3].rstrip() + "..."


async def rows(client: Client) -> list[Row]:
    """Return all conversations that the gateway keeps for this caller, the youngest first."""
    found: list[Row] = []
    after = ""
    while True:
        page = await client.get(f"/v1/sessions?limit={_PAGE}{after}")
        found += [
            Row(
                each["id"],
                each.get("title") or "Untitled",
                each.get("model") or "",
                each.get("turns") or 0,
                each.get("last_used_at") or 0.0,
            )
            for each in page["data"]
        ]
        if not page.get("has_more"):
            return found
        after = f"&after={page['last_id']}"


async def load(client: Client, session: str, parameters: Parameters) -> Conversation:
    """Return a conversation with all that was said in it; raise a `Fault` when there is none."""
    told = await client.get(f"/v1/sessions/{session}")
    chat = Conversation(
        told["id"], told.get("title"), told.get("model"), told.get("system_prompt"), parameters, entries=[]
    )
    chat.context_tokens = told.get("usage", {}).get("prompt_tokens") or 0
    after = ""
    while True:
        page = await client.get(f"/v1/sessions/{session}/messages?limit={_MESSAGES}{after}")
        chat.entries += [entry for row in page["data"] if (entry := _entry(row, told.get("model"))) is not None]
        if not page.get("has_more"):
            return chat
        after = f"&after={page['next_after']}"


async def begin(client: Client, chat: Conversation, first: str, said: Sequence[dict[str, str]] = ()) -> None:
    """Have the gateway keep a conversation from now on, with what was `said` in it before."""
    chat.title = chat.title or title_of(first)
    body: dict[str, Any] = {"title": chat.title, "model": chat.model, "system_prompt": chat.system}
    body = {name: value for name, value in body.items() if value is not None}
    told = await client.post("/v1/sessions", {**body, "messages": list(said)} if said else body)
    chat.session = told["id"]


async def branch(client: Client, chat: Conversation, said: Sequence[Entry], title: str) -> Conversation:
    """Begin a conversation that is the same up to a place, and goes on by itself from there."""
    other = Conversation(None, title, chat.model, chat.system, chat.parameters)
    other.entries = [
        Entry(each.kind, each.text, each.thinking, each.name, each.footer, place=place)
        for place, each in enumerate(said)
    ]
    await begin(client, other, title, other.kept())
    return other


async def change(client: Client, session: str, **values: str | None) -> None:
    """Change title, model or system prompt of a conversation."""
    await client.ask("PATCH", f"/v1/sessions/{session}", values)


async def delete(client: Client, session: str) -> None:
    """Delete a conversation."""
    await client.ask("DELETE", f"/v1/sessions/{session}")


async def exported(client: Client, session: str, form: str) -> bytes:
    """Return a conversation as a file: `markdown` or `json`."""
    return await client.text("GET", f"/v1/sessions/{session}/export?format={form}")


async def newest(client: Client) -> str:
    """Return the conversation that was begun last; raise a `Fault` when there is none."""
    page = await client.get("/v1/sessions?limit=1")
    if not page["data"]:
        raise Unreachable("The gateway keeps no conversation of yours.")
    return str(page["data"][0]["id"])


def branch_title(title: str | None) -> str:
    """Return what a branch is called: the title with a number that counts up."""
    stem, _, number = (title or "Untitled").rpartition(" #")
    if stem and number.isdecimal():
        return f"{stem} #{int(number) + 1}"
    return f"{title or 'Untitled'} #2"


def _entry(row: dict[str, Any], model: str | None) -> Entry | None:
    role, text = row.get("role"), _text(row)
    if role not in {"user", "assistant"} or (not text and role == "assistant"):
        return None
    return Entry(
        Kind(role),
        text,
        name="You" if role == "user" else model or "Answer",
        state=State.WHOLE,
        place=row.get("place"),
        is_forgotten=not row.get("in_context", True),
    )


def _text(row: dict[str, Any]) -> str:
    content = row.get("content")
    if isinstance(content, list):
        parts = (part.get("text") or f"[{part.get('type', 'part')}]" for part in content if isinstance(part, dict))
        return "\n\n".join(map(str, parts))
    return content if isinstance(content, str) else ""
