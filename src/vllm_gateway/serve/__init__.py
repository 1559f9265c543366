"""The composition root: settings in, a running gateway out. The only place that decides which part gets which.

* `making`: parts that are made and need no end
* `opening`: parts that are opened, and closed in reverse
* `assembly`: all of them put together
* `listening`: the sockets
* `process`: one process that serves
* `workers`: several of them, watched over by one
* `worker`, `fork`, `peers`, `together`, `apart`: what each of them needs
* `supervisor`: what systemd is told
* `running`: signals, and the choice between both
"""

from vllm_gateway.serve.assembly import Parts, build
from vllm_gateway.serve.listening import BACKLOG
from vllm_gateway.serve.process import server_config
from vllm_gateway.serve.running import run

__all__ = ["BACKLOG", "Parts", "build", "run", "server_config"]
