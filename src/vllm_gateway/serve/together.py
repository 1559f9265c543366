"""The admin routes where several processes serve: whichever is asked tells of all, and what it changes holds in all."""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any

from vllm_gateway import codec
from vllm_gateway.clock import SystemClock
from vllm_gateway.edge.admin.live import request_object, stop_requests
from vllm_gateway.edge.admin.recent import recent_object, recent_part
from vllm_gateway.edge.admin.replicas import replica_object
from vllm_gateway.edge.app import App
from vllm_gateway.edge.lane import Message, Receive, Scope, Send
from vllm_gateway.serve.assembly import Parts
from vllm_gateway.serve.peers import Order, Peers
from vllm_gateway.serve.told import Told
from vllm_gateway.settings.model import Upstream
from vllm_gateway.telemetry.metrics.series import plain
from vllm_gateway.upstream.replica import ADDED, CONFIGURED, Replica

_REQUEST = re.compile(r"/admin/requests/([^/]+)")
_REPLICA = re.compile(r"/admin/replicas/([^/]+)(/drain|/resume)?")
_LISTS = ("replicas", "requests")
_ORDERS = {
    ("GET", "/admin/replicas"): "replicas",
    ("GET", "/admin/requests"): "requests",
    ("GET", "/admin/recent"): "recent",
    ("POST", "/admin/replicas"): "add",
    ("POST", "/admin/reload"): "reload",
    ("POST", "/admin/keys"): "keys",
}
_OK = 300
"""Below this an answer says that all went well."""


@asynccontextmanager
async def open_together(
    parts: Parts, *, folder: Path, number: int, count: int, reloaded: Callable[[], None]
) -> AsyncIterator[App | None]:
    """Open what keeps this worker and the others at the same; it serves the admin routes, if there is a key for them.

    What somebody has ordered while this worker was not there is made up for first. `reloaded` is told when the
    settings were read again in all of them.
    """
    peers, own = Peers(folder, number=number, count=count), Own(parts)
    told = Told(folder, number=number, count=count)
    parts.scraping.join(peers, told)
    async with peers.listening(own.obey):
        await own.follow(await peers.ask_one({"do": "tell"}) or [])
        yield Together(parts.admin, parts, own, peers, reloaded) if parts.admin is not None else None


class Own:
    """What this process does when all are to do it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clock = SystemClock()

    async def obey(self, order: Order) -> Any:  # noqa: ANN401, C901, PLR0911 - one answer for each order
        """Do it; return what came of it."""
        parts, pool = self._parts, self._parts.pool
        match order:
            case {"do": "replicas"}:
                return [[_place(each), replica_object(each)] for each in pool.replicas]
            case {"do": "requests"}:
                now = self._clock.now()
                return [request_object(each, now) for each in parts.ledger.live.values()]
            case {"do": "recent"}:
                return recent_part(parts.recent, parts.turnstile.waiting)
            case {"do": "stop", "request": request_id}:
                return stop_requests(parts.ledger, request_id, self._clock.now())
            case {"do": "tell"}:
                return [_told(each) for each in pool.replicas]
            case {"do": "add", "upstream": upstream}:
                return await self._add(Upstream.model_validate(upstream))
            case {"do": "remove", "place": place} if (found := self._find(place)) is not None:
                return pool.remove(found.name) is not None
            case {"do": "drain", "place": place, "draining": bool(draining)} if found := self._find(place):
                return pool.drain(found.name, is_draining=draining) is not None
            case {"do": "reload"}:
                return asdict(await parts.reloading.reload())
            case {"do": "metrics"}:
                return plain(parts.scraping.told())
            case {"do": "keys"}:
                return await parts.keys.refresh()
        return None

    async def follow(self, others: Iterable[dict[str, Any]]) -> None:
        """Take over what was done by hand to the replicas of another worker."""
        pool, there = self._parts.pool, {tuple(each["place"]): each for each in others}
        if not there:
            return
        for replica in pool.replicas:
            if replica.source == CONFIGURED and replica.ip is None and _place(replica) not in there:
                pool.remove(replica.name)
        for place, told in there.items():
            if told["upstream"] is not None:
                await self._add(Upstream.model_validate(told["upstream"]))
            if told["draining"] and (found := self._find(place)) is not None:
                pool.drain(found.name)

    async def _add(self, upstream: Upstream) -> None:
        if self._find((upstream.route, upstream.root, None)) is None:
            replica = self._parts.pool.add(upstream)
            await self._parts.reloading.look()
            if not replica.is_known:  # that look had begun before
                await self._parts.reloading.look()

    def _find(self, place: Iterable[str | None]) -> Replica | None:
        wanted = tuple(place)
        return next((each for each in self._parts.pool.replicas if _place(each) == wanted), None)


class Together:
    """The ASGI application around the admin routes of one process."""

    def __init__(self, inner: App, parts: Parts, own: Own, peers: Peers, reloaded: Callable[[], None]) -> None:
        self._inner = inner
        self._parts = parts
        self._own = own
        self._peers = peers
        self._reloaded = reloaded
        self._clock = SystemClock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have this process answer; where that went well, have the others do the same before the answer leaves."""
        order = self._order(scope["method"], scope["path"])
        if order is None:
            await self._inner(scope, receive, send)
            return
        heard = _Heard(receive)
        await self._inner(scope, heard.receive, heard.hold)
        if order["do"] == "stop" and heard.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            await self._stop(order, heard)
        elif heard.status < _OK:
            if order["do"] == "add":
                order["upstream"] = codec.loads(heard.asked)
            answers = await self._peers.ask_all(order)
            if order["do"] == "reload":
                self._reloaded()
            if order["do"] in _LISTS:
                answers.append(await self._own.obey(order))
                merge = merged_replicas if order["do"] == "replicas" else merged_requests
                heard.answer = codec.dumps({"object": "list", "data": merge(answers)})
            elif order["do"] == "recent":
                answers.append(await self._own.obey(order))
                heard.answer = codec.dumps(recent_object(answers, self._clock.wall()))
        await heard.release(send)

    async def _stop(self, order: Order, heard: "_Heard") -> None:
        """Have the others stop a request: it is under way in one of them, mostly in another one than was asked."""
        stopped = [each for answer in await self._peers.ask_all(order) for each in answer]
        if heard.status == HTTPStatus.OK:
            stopped += codec.loads(heard.answer)["data"]
        if stopped:
            heard.status = HTTPStatus.OK
            heard.answer = codec.dumps({"object": "list", "data": stopped})

    def _order(self, method: str, path: str) -> Order | None:  # noqa: PLR0911 - one for each kind of route
        """Return what the others are to do for a request; None where it concerns nobody else."""
        if (method, path) in _ORDERS:
            return {"do": _ORDERS[method, path]}
        if method == "GET":
            return None
        if path.startswith("/admin/keys/"):
            return {"do": "keys"}
        if method == "DELETE" and (request := _REQUEST.fullmatch(path)) is not None:
            return {"do": "stop", "request": request[1]}
        found = _REPLICA.fullmatch(path)
        replica = self._parts.pool.find(found[1]) if found is not None else None
        if found is None or replica is None:
            return None
        if found[2] is None:
            return {"do": "remove", "place": _place(replica)}
        return {"do": "drain", "place": _place(replica), "draining": found[2] == "/drain"}


def merged_replicas(answers: Iterable[Iterable[tuple[list[str | None], dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Return each replica once, as the last of the workers names it, with what all of them together ask it."""
    found: dict[tuple[str | None, ...], list[dict[str, Any]]] = {}
    for place, told in (each for answer in answers for each in answer):
        found.setdefault(tuple(place), []).append(told)
    return [_merged(tellings) for tellings in found.values()]


def merged_requests(answers: Iterable[Iterable[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what is under way in all workers, the oldest first."""
    return sorted((each for answer in answers for each in answer), key=lambda each: -each["seconds"])


def _merged(tellings: list[dict[str, Any]]) -> dict[str, Any]:
    outstanding = sum(each["outstanding"] for each in tellings)
    inside = max(each["others"] + each["outstanding"] for each in tellings)
    return {
        **tellings[-1],
        "usable": all(each["usable"] for each in tellings),
        "known": all(each["known"] for each in tellings),
        "outstanding": outstanding,
        "work": round(sum(each["work"] for each in tellings), 3),
        "others": max(0, inside - outstanding),
        "failures": max(each["failures"] for each in tellings),
    }


class _Heard:
    """Listens to a request while it passes, and holds its answer back."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._head: Message = {}
        self.asked = b""
        self.answer = b""
        self.status = 0

    async def receive(self) -> Message:
        """Let a piece of the request pass."""
        message = await self._receive()
        self.asked += message.get("body", b"")
        return message

    async def hold(self, message: Message) -> None:
        """Hold a piece of the answer back."""
        if message["type"] == "http.response.start":
            self._head, self.status = message, message["status"]
        else:
            self.answer += message.get("body", b"")

    async def release(self, send: Send) -> None:
        """Let the answer go."""
        kept = [(name, value) for name, value in self._head["headers"] if name.lower() != b"content-length"]
        length = (b"content-length", str(len(self.answer)).encode())
        await send({**self._head, "status": self.status, "headers": [*kept, length]})
        await send({"type": "http.response.body", "body": self.answer})


def _place(replica: Replica) -> tuple[str, str, str | None]:
    """Return what makes a replica the same one in all workers: not its name, which depends on who was there before."""
    return replica.route, replica.url.removesuffix("/v1"), replica.ip


def _told(replica: Replica) -> dict[str, Any]:
    """Return what another worker must know to have the same replica; one that was added by hand, with all it needs."""
    upstream = None
    if replica.source == ADDED:
        upstream = {
            "url": replica.url,
            "route": replica.route,
            "weight": replica.weight,
            "priority_scheduling": replica.takes_priority,
            "wake_on_request": replica.wakes_on_request,
            "api_key": replica.key.decode() or None,
        }
    return {"place": _place(replica), "draining": replica.is_draining, "upstream": upstream}
