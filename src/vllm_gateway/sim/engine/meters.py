"""What the engine counts: the numbers behind `/metrics`, under vLLM's names."""

from bisect import bisect_left

from vllm_gateway.sim.engine.generation import Generation

_TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_FIRST_TOKEN_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
_TOKEN_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0),
)
_REQUEST_S = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)


class Histogram:
    """Counts of observations by upper bound."""

    def __init__(self, name: str, help_text: str, bounds: tuple[float, ...]) -> None:
        self.name = name
        self.help_text = help_text
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Meters:
    """Counters and histograms of one engine."""

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.preemptions = 0
        self.refused = 0
        self.finished_by_reason = dict.fromkeys(("stop", "length", "abort", "error", "repetition"), 0)
        self._of_prompt = Histogram("request_prompt_tokens", "Number of prefill tokens processed.", _TOKENS)
        self._of_answer = Histogram("request_generation_tokens", "Number of generation tokens processed.", _TOKENS)
        self._wanted = Histogram("request_params_max_tokens", "Histogram of the max_tokens parameter.", _TOKENS)
        self._to_first = Histogram(
            "time_to_first_token_seconds", "Histogram of time to first token in seconds.", _FIRST_TOKEN_S
        )
        self.between = Histogram(
            "inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", _TOKEN_S
        )
        self._per_token = Histogram(
            "request_time_per_output_token_seconds", "Histogram of time per output token.", _TOKEN_S
        )
        self._whole = Histogram("e2e_request_latency_seconds", "Histogram of e2e request latency.", _REQUEST_S)
        self._queued = Histogram("request_queue_time_seconds", "Histogram of time spent in WAITING.", _REQUEST_S)
        self._running = Histogram("request_inference_time_seconds", "Histogram of time spent in RUNNING.", _REQUEST_S)
        self._prefill = Histogram("request_prefill_time_seconds", "Histogram of time spent in PREFILL.", _REQUEST_S)
        self._decode = Histogram("request_decode_time_seconds", "Histogram of time spent in DECODE.", _REQUEST_S)

    def histograms(self) -> list[Histogram]:
        """Return all of them, in vLLM's order."""
        return [found for found in vars(self).values() if isinstance(found, Histogram)]

    def first_token(self, generation: Generation) -> None:
        """Count a first token, with which the prompt has been read."""
        self.prompt_tokens += len(generation.prompt)
        self._to_first.observe(generation.times.first_token - generation.times.queued)

    def finished(self, generation: Generation, reason: str) -> None:
        """Count a generation that came to its end."""
        self.finished_by_reason[reason] += 1
        times, tokens = generation.times, len(generation.ids)
        self._of_prompt.observe(len(generation.prompt))
        self._of_answer.observe(tokens)
        self._wanted.observe(generation.wish.max_tokens)
        if not tokens:
            return
        self._whole.observe(times.last_token - times.queued)
        self._queued.observe(times.scheduled - times.queued)
        self._running.observe(times.last_token - times.scheduled)
        self._prefill.observe(times.first_token - times.scheduled)
        self._decode.observe(times.last_token - times.first_token)
        if tokens > 1:
            self._per_token.observe((times.last_token - times.first_token) / (tokens - 1))
