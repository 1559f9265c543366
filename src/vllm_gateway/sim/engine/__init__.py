"""The part of the sim that stands where vLLM has its model: tokens, text, KV blocks and the schedule."""
