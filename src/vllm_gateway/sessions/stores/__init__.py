"""Where conversations are kept: one promise, `vllm_gateway.sessions.store.Store`, and several ways to keep it."""
