"""vLLM's HTTP API, route by route: reads a body, asks the engine, writes the answer in vLLM's shapes."""
