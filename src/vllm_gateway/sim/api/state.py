"""How the sim is: health, version, load, sleep, and what is switched off."""

from http import HTTPStatus
from urllib.parse import parse_qs

from vllm_gateway import codec
from vllm_gateway.sim.api.problems import Problem
from vllm_gateway.sim.call import Call
from vllm_gateway.sim.replica import Replica


def health(_replica: Replica, call: Call) -> None:
    """Say that the process lives; a wedged engine says so too."""
    call.reply(200, content_type=None)


def version(replica: Replica, call: Call) -> None:
    """Name the version of vLLM whose API this is."""
    call.reply(200, codec.dumps({"version": replica.settings.vllm_version}))


def load(replica: Replica, call: Call) -> None:
    """Tell how many requests are being answered."""
    scheduler = replica.scheduler
    answers = {id(generation.listener) for generation in (*scheduler.running, *scheduler.waiting)}
    call.reply(200, codec.dumps({"server_load": len(answers)}))


def scale_out(_replica: Replica, _call: Call) -> None:
    """Refuse what vLLM refuses unless it was started for it."""
    raise Problem(
        "Scale-out endpoints are disabled. Restart vllm serve with --enable-scale-out to enable them.",
        status=HTTPStatus.FORBIDDEN,
        kind="PermissionDeniedError",
    )


def sleep(replica: Replica, call: Call) -> None:
    """Abort what runs and make no tokens until woken."""
    query = parse_qs(call.seen.target.partition("?")[2])
    level = int(query.get("level", ["1"])[0])
    replica.scheduler.sleep(level)
    call.reply(200, codec.dumps({"status": "sleeping", "level": level}))


def wake_up(replica: Replica, call: Call) -> None:
    """Make tokens again."""
    replica.scheduler.wake_up()
    call.reply(200, codec.dumps({"status": "awake", "tags": None}))


def is_sleeping(replica: Replica, call: Call) -> None:
    """Tell whether it sleeps."""
    call.reply(200, codec.dumps({"is_sleeping": bool(replica.scheduler.sleep_level)}))


def reset_prefix_cache(replica: Replica, call: Call) -> None:
    """Forget every cached prefix that nothing running holds."""
    replica.scheduler.kv.clear()
    call.reply(200, content_type=None)
