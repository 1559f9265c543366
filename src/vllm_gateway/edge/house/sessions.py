"""`/v1/sessions`: conversations that the gateway keeps, but for their turns, which a replica answers."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict
from starlette.responses import StreamingResponse

from vllm_gateway import codec
from vllm_gateway.callers import Caller
from vllm_gateway.dialects.bodies import Conversation
from vllm_gateway.dialects.sessions import whole_seconds
from vllm_gateway.edge.house.callers import Admit
from vllm_gateway.edge.house.texts import ModelName, Prompt, Screen, Title
from vllm_gateway.sessions import export
from vllm_gateway.sessions.book import Book
from vllm_gateway.sessions.model import Message, Session

Place = Annotated[int, Query(ge=0, le=1_000_000_000)]


class SessionBody(BaseModel):
    """What a session is begun with; everything may be left out."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"system_prompt": "You are brief.", "title": "First steps"}]},
    )

    system_prompt: Prompt | None = None
    """What every turn's model is told first."""
    model: ModelName | None = None
    """The model that answers; without it the gateway's default."""
    title: Title | None = None


class NewSessionBody(SessionBody):
    """What a session is begun with, and what was said before it began."""

    messages: Conversation | None = None
    """A conversation that goes on here: a branch of another session, or one that was kept elsewhere."""


def session_routes(book: Book, admit: Admit, screen: Screen) -> APIRouter:
    """Return the routes about sessions; a caller gets at its own only."""
    routes = APIRouter(prefix="/v1/sessions", tags=["sessions"])
    Who = Annotated[Caller, Depends(admit)]  # noqa: N806 - a type

    @routes.post("", status_code=201, summary="Begin a session")
    async def begin(caller: Who, body: NewSessionBody | None = None) -> dict[str, Any]:
        wanted = body or NewSessionBody()
        screen(wanted.model_dump())
        session = await book.begin(
            caller.id,
            model=wanted.model,
            title=wanted.title,
            system_prompt=wanted.system_prompt,
            messages=[Message(dict(message)) for message in wanted.messages or ()],
        )
        return session_object(session, book)

    @routes.get("", summary="Your sessions, the youngest first, page by page")
    async def page(
        caller: Who, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: str | None = None
    ) -> dict[str, Any]:
        sessions, has_more = await book.page(caller.id, limit=limit, after=after)
        return {
            "object": "list",
            "data": [_row(session, book) for session in sessions],
            "first_id": sessions[0].id if sessions else None,
            "last_id": sessions[-1].id if sessions else None,
            "has_more": has_more,
        }

    @routes.get("/{session_id}", summary="One session")
    async def show(caller: Who, session_id: str) -> dict[str, Any]:
        return session_object(await book.find(session_id, caller.id), book)

    @routes.patch("/{session_id}", summary="Change system prompt, model or title; null takes it away")
    async def change(caller: Who, session_id: str, body: SessionBody) -> dict[str, Any]:
        changes = body.model_dump(exclude_unset=True)
        screen(changes)
        return session_object(await book.change(session_id, caller.id, changes), book)

    @routes.delete("/{session_id}", summary="End a session and delete all that was said")
    async def end(caller: Who, session_id: str) -> dict[str, Any]:
        await book.end(session_id, caller.id)
        return {"id": session_id, "object": "session.deleted", "deleted": True}

    _add_reading(routes, book, admit)
    return routes


def _add_reading(routes: APIRouter, book: Book, admit: Admit) -> None:
    """Add the routes by which an owner reads what was said."""
    Who = Annotated[Caller, Depends(admit)]  # noqa: N806 - a type

    @routes.get("/{session_id}/messages", summary="What was said, the oldest first, page by page")
    async def messages(
        caller: Who, session_id: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100, after: Place | None = None
    ) -> dict[str, Any]:
        start = 0 if after is None else after + 1
        session, found = await book.messages(session_id, caller.id, start=start, limit=limit)
        has_more = bool(found) and start + len(found) < session.messages
        return {
            "object": "list",
            "data": [_message_object(session, start + at, message) for at, message in enumerate(found)],
            "has_more": has_more,
            "next_after": start + len(found) - 1 if has_more else None,
        }

    @routes.get("/{session_id}/export", summary="The whole conversation as a file")
    async def export_session(
        caller: Who,
        session_id: str,
        format: Literal["markdown", "json"] = "json",  # noqa: A002 - its name in the URL
    ) -> Response:
        session = await book.find(session_id, caller.id)
        if format == "markdown":
            return _file(_as_markdown(session, book), "text/markdown; charset=utf-8", f"{session.id}.md")
        return _file(_as_json(session, book), "application/json", f"{session.id}.json")


def session_object(session: Session, book: Book) -> dict[str, Any]:
    """Return a session as its owner sees it."""
    expires_in = book.expires_in(session)
    return {
        "id": session.id,
        "object": "session",
        "model": session.model,
        "title": session.title,
        "system_prompt": session.system_prompt,
        "created_at": session.created,
        "last_used_at": session.used,
        "expires_at": session.used + session.ttl_s if session.ttl_s else None,
        "expires_in": whole_seconds(expires_in),
        "turns": session.turns,
        "messages": session.messages,
        "messages_in_context": session.messages - session.first_kept,
        "replica": session.replica,
        "usage": {
            "input_tokens": session.input_tokens,
            "output_tokens": session.output_tokens,
            "prompt_tokens": session.prompt_tokens,
        },
    }


def _message_object(session: Session, place: int, message: Message) -> dict[str, Any]:
    return {**message.fields, "place": place, "in_context": place >= session.first_kept}


def _row(session: Session, book: Book) -> dict[str, Any]:
    """Return a session as lists have it: without what may be as large as a book."""
    shown = session_object(session, book)
    del shown["system_prompt"]
    return shown


async def _as_markdown(session: Session, book: Book) -> AsyncIterator[bytes]:
    yield export.heading(session).encode()
    async for found in book.all_messages(session):
        yield "".join(map(export.section, found)).encode()


async def _as_json(session: Session, book: Book) -> AsyncIterator[bytes]:
    """Give the parts of one JSON object, a message on a line."""
    yield b'{"session": ' + codec.dumps_pretty(session_object(session, book)) + b',\n"messages": ['
    place = 0
    async for found in book.all_messages(session):
        rows = [codec.dumps(_message_object(session, place + at, message)) for at, message in enumerate(found)]
        yield (b",\n" if place else b"\n") + b",\n".join(rows)
        place += len(found)
    yield b"\n]}\n"


def _file(parts: AsyncIterator[bytes], media_type: str, name: str) -> Response:
    return StreamingResponse(
        parts, media_type=media_type, headers={"content-disposition": f'attachment; filename="{name}"'}
    )
