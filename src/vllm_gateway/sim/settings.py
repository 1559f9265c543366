"""What can be set about the sim; the command line and the tests fill it in."""

from dataclasses import dataclass

from vllm_gateway.sim.faults.grammar import parse_all


@dataclass(frozen=True, slots=True)
class SimSettings:
    """One sim: which models it has, how fast it is, how much it holds, and what goes wrong on purpose."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""
    models: tuple[str, ...] = ("sim-small",)
    """Names of the models that generate; each writes another text."""
    embedding_models: tuple[str, ...] = ("sim-embed",)
    """Names of the models that embed; with none, the routes for it do not exist, as on a generating vLLM."""
    max_model_len: int = 4096
    """Most tokens of a prompt and its answer together."""
    ttft_ms: float = 50.0
    """Time to the first token of an empty prompt."""
    ttft_ms_per_1k: float = 100.0
    """Time that is added for 1,000 prompt tokens that the prefix cache does not have."""
    itl_ms: float = 15.0
    """Time between two tokens of one answer."""
    max_num_seqs: int = 256
    """Most answers that are generated at once; others wait in line."""
    max_num_queued: int | None = None
    """Most answers that may run or wait at once; more are refused with 503. None sets no limit."""
    kv_blocks: int = 8192
    """Blocks of 16 tokens that the KV cache holds."""
    embedding_size: int = 256
    """Numbers in an embedding."""
    matryoshka: bool = False
    """Let callers ask for fewer numbers with `dimensions`, which most embedding models refuse."""
    seed: int = 0
    """Stands for the weights: sims with the same seed answer alike."""
    faults: tuple[str, ...] = ()
    """What goes wrong on purpose, in the words of `vllm_gateway.sim.faults`."""
    api_key: str | None = None
    """The key that routes under /v1 want as a bearer token; None wants none."""
    keep_alive_s: float = 5.0
    """How long an idle connection is kept; vLLM keeps it 5 s."""
    vllm_version: str = "0.32.0"
    """The version that `/version` and the fingerprints name."""
    request_id_headers: bool = True
    """Answer with `X-Request-Id`."""
    prompt_tokens_details: bool = True
    """Tell in `usage` how many prompt tokens were cached."""
    per_request_metrics: bool = False
    """Tell in `metrics` how long each answer took."""
    sse_keep_alive_s: float = 0.0
    """Send a comment when a stream of chat or completions was silent for so long; 0 sends none."""
    dev_mode: bool = False
    """Offer `/sleep`, `/wake_up`, `/is_sleeping` and `/reset_prefix_cache`."""
    journal_size: int = 10_000
    """How many of the last requests and connections are remembered."""

    def __post_init__(self) -> None:
        if self.kv_blocks * 16 < self.max_model_len:
            raise ValueError(f"kv_blocks={self.kv_blocks} cannot hold one answer of {self.max_model_len} tokens.")
        for fault in self.faults:
            parse_all(fault)
        if not self.models and not self.embedding_models:
            raise ValueError("The sim needs at least one model.")

    @property
    def fingerprint(self) -> str:
        """What answers carry as `system_fingerprint`; equal for sims that answer alike."""
        return f"vllm-{self.vllm_version}-sim{self.seed & 0xFFFFF:05x}"
