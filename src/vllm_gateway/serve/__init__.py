"""The composition root: settings in, a running gateway out. The only place that decides which part gets which.

* `making`: parts that are made and need no end
* `opening`: parts that are opened, and closed in reverse
* `assembly`: all of them put together
* `running`: sockets, signals, and the first words
"""

from vllm_gateway.serve.assembly import Parts, build
from vllm_gateway.serve.running import BACKLOG, run, server_config

__all__ = ["BACKLOG", "Parts", "build", "run", "server_config"]
