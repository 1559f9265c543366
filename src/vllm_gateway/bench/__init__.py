"""The load test: what a server answers, how fast, and what a gateway before it adds.

`wishes` says what can be asked for, `plan` checks it, `running` does it. `prompts` says what is asked, `load` asks and
measures each request, `figures` are what the measurements come to, and `output` tells them: as JSON with the keys of
`vllm bench serve`, as a table for each request, and as a report with plots.

A guest: it speaks to a gateway, or to any server with OpenAI's API, by HTTP only.
"""
