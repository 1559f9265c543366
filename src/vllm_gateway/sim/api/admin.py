"""`/sim/...`: what tests say to the sim and ask of it while it runs; a real vLLM has nothing of it."""

from urllib.parse import parse_qs

from pydantic import BaseModel

from vllm_gateway import codec
from vllm_gateway.sim.api import fields
from vllm_gateway.sim.api.answering import Json
from vllm_gateway.sim.api.problems import Problem
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.faults.grammar import FaultInvalid
from vllm_gateway.sim.journal import ConnectionSeen, RequestSeen
from vllm_gateway.sim.replica import Replica


class FaultFields(BaseModel):
    """What is to go wrong."""

    faults: list[str]


def list_faults(replica: Replica, call: Call) -> None:
    """Tell what goes wrong."""
    call.reply(200, codec.dumps({"faults": replica.faults.listed()}))


def add_faults(replica: Replica, call: Call) -> None:
    """Let more go wrong."""
    body = fields.read(FaultFields, call.seen.body)
    try:
        replica.faults.add(body.faults)
    except FaultInvalid as problem:
        raise Problem(str(problem), param="faults") from None
    list_faults(replica, call)


def clear_faults(replica: Replica, call: Call) -> None:
    """Let everything go well again."""
    replica.faults.clear_soon(lambda: list_faults(replica, call))


def show_log(replica: Replica, call: Call) -> None:
    """Tell what was seen: the last requests and connections, `?last=N` of them."""
    query = parse_qs(call.seen.target.partition("?")[2])
    last = int(query.get("last", ["100"])[0])
    journal = replica.journal
    told = {
        "requests_total": journal.requests_total,
        "connections_total": journal.connections_total,
        "open_connections": journal.open_connections,
        "in_flight": journal.in_flight,
        "most_in_flight": journal.most_in_flight,
        "most_running": replica.scheduler.most_running,
        "requests": [_request(seen) for seen in list(journal.requests)[-last:]],
        "connections": [_connection(seen) for seen in list(journal.connections)[-last:]],
    }
    call.reply(200, codec.dumps(told))


def clear_log(replica: Replica, call: Call) -> None:
    """Forget what was seen."""
    replica.journal.clear()
    call.reply(200, codec.dumps({}))


def _request(seen: RequestSeen) -> Json:
    return {
        "number": seen.number,
        "connection": seen.connection.number,
        "method": seen.method,
        "target": seen.target,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in seen.headers],
        "body": seen.body.decode("utf-8", "replace"),
        "head_at": seen.head_at,
        "body_at": seen.body_at,
        "status": seen.status,
        "first_byte_at": seen.first_byte_at,
        "first_token_at": seen.first_token_at,
        "last_token_at": seen.last_token_at,
        "tokens": seen.tokens,
        "gone_at": seen.gone_at,
        "ended_at": seen.ended_at,
        "fault": seen.fault,
        "fault_at": seen.fault_at,
    }


def _connection(seen: ConnectionSeen) -> Json:
    return {
        "number": seen.number,
        "opened_at": seen.opened_at,
        "closed_at": seen.closed_at,
        "closed_by": seen.closed_by,
        "requests": seen.requests,
    }
