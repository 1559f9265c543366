"""`vllm-gateway`: its commands, and what a mistake looks like."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from vllm_gateway import __version__
from vllm_gateway.cli.ask import ask
from vllm_gateway.cli.bench import bench
from vllm_gateway.cli.chaos import chaos
from vllm_gateway.cli.chat import chat
from vllm_gateway.cli.completion import completion
from vllm_gateway.cli.config import config
from vllm_gateway.cli.connect import connect
from vllm_gateway.cli.doctor import doctor
from vllm_gateway.cli.healthcheck import healthcheck
from vllm_gateway.cli.keys import keys
from vllm_gateway.cli.serve import serve
from vllm_gateway.cli.sim import sim
from vllm_gateway.cli.top import top
from vllm_gateway.cli.up import up
from vllm_gateway.cli.usage import usage

USAGE_MISTAKE = 2

app = App(
    name="vllm-gateway",
    help="One front door for one or many vLLM servers.\n\nFor example: vllm-gateway serve --upstream http://127.0.0.1:8000/v1",
    version=__version__,
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    result_action="return_value",
)
app.command(serve)
app.command(up)
app.command(sim)
app.command(ask)
app.command(top)
app.command(chaos)
app.command(chat)
app.command(bench)
app.command(config)
app.command(keys)
app.command(usage)
app.command(completion)
app.command(doctor)
app.command(connect)
app.command(healthcheck)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 when all went well, 1 for what the command says, 2 for a mistake in its use."""
    sys.exit(status(sys.argv[1:] if arguments is None else arguments))


def status(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    try:
        returned = app(list(arguments), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as mistake:
        sentence = " ".join(str(mistake).split())
        sys.stderr.write(f"vllm-gateway: {sentence} See vllm-gateway --help.\n")
        return USAGE_MISTAKE
    except BrokenPipeError:
        # Who reads our output has left, as `head` does. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return returned if isinstance(returned, int) else 0
