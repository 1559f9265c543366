"""Policy `prefix`: the replica that has the prompt's beginning in its cache, unless the wait is worth more."""

from collections.abc import Sequence

from vllm_gateway.exchange import Asked, Exchange
from vllm_gateway.routing.load import C, Candidate, busyness, is_far_busier, least_busy, load_of, warm_one, work_of
from vllm_gateway.routing.prefix_blocks import BLOCK_BYTES, blocks_of
from vllm_gateway.routing.prefix_model import PrefixModel
from vllm_gateway.settings.fleet import Balance

_SAVED_BYTES = 512
"""So much of a prompt that need not be computed is worth one ordinary request on the replica. A lower value sends more
to where it is warm: on paper (`benchmarks/paper_fleet.py`) half of this gains 1 % of hits and costs a longer tail where
places are few, and twice this loses 4 %."""


class Prefix:
    """Weighs the prefill that a warm cache saves against the work that waits before it.

    A replica's score is its load less `trust * known bytes / _SAVED_BYTES`, both in ordinary requests; the lowest wins,
    of equals the one whose turn it is. Who is far busier than the least busy one (`load.is_far_busier`) is never
    chosen, however much it knows.

    The idea that saved prefill and waiting work are one currency is Preble's (arXiv 2407.00023); that a tree of what
    was sent stands for what is cached, and that an unbalanced fleet goes by load alone, is what SGLang's router and
    llm-d's scorers do. Two things follow without a rule of their own: a beginning that everybody has in common does not
    draw everything to one replica, because as soon as that is busy a second one learns it; and a model that turns out
    wrong loses its say, because `trust` falls with every prompt that was not there.
    """

    name = "prefix"

    def __init__(self, balance: Balance, *, isolates: bool = False) -> None:
        self._most_blocks = balance.prefix_blocks
        self._has_affinity = balance.affinity
        self._isolates = isolates
        self._models: dict[str, PrefixModel] = {}

    def look(self, exchange: Exchange, asked: Asked) -> None:
        """Read the prompt's blocks; callers whose prompts are cached apart share none."""
        exchange.work = work_of(asked)
        exchange.blocks = blocks_of(asked, exchange.model, exchange.caller.id if self._isolates else "")

    def choose(self, candidates: Sequence[C], exchange: Exchange) -> C:
        """Choose where the least is left to do before the first token, and note that the prompt goes there."""
        blocks = exchange.blocks
        if not blocks:
            return (warm_one(candidates, exchange.prefers) if self._has_affinity else None) or least_busy(candidates)
        chosen = warm_one(candidates, exchange.prefers) if self._has_affinity else None
        if chosen is None:
            chosen = self._best(candidates, blocks)
        model = self._model(chosen)
        exchange.known_blocks = model.known(blocks)
        model.add(blocks)
        return chosen

    def weigh(self, candidates: Sequence[C], exchange: Exchange) -> dict[str, dict[str, float]]:
        """Return the score of each, the lowest is the best, and what it is made of."""
        told = {}
        for each in candidates:
            model, saved = self._model(each), self._saved(each, exchange.blocks)
            told[each.name] = {
                "score": round(load_of(each) - saved, 2),
                "saved": round(saved, 2),
                "known_blocks": model.known(exchange.blocks),
                "blocks": len(exchange.blocks),
                "trust": round(model.trust, 2),
                **busyness(each),
            }
        return told

    def learn(self, exchange: Exchange, replica_name: str) -> None:
        """Take from an answer whether the replica knew what it was believed to know."""
        usage, known = exchange.usage, exchange.known_blocks
        if usage is not None and known and (model := self._models.get(replica_name)) is not None:
            model.learn(usage, known / len(exchange.blocks))

    def forget(self, replica_name: str) -> None:
        """Forget a replica that is gone: another one may come under its name."""
        self._models.pop(replica_name, None)

    def _best(self, candidates: Sequence[C], blocks: Sequence[int]) -> C:
        if len(candidates) == 1:
            return candidates[0]
        least = best = least_busy(candidates)
        best_score = (load_of(best) - self._saved(best, blocks), best.turn)
        models, first = self._models, blocks[0]
        for replica in candidates:
            model = models.get(replica.name)
            if model is None or replica is least or not model.knows(first):
                continue  # who knows nothing of it is no better than the least busy one
            score = (load_of(replica) - self._saved(replica, blocks), replica.turn)
            if score < best_score and not is_far_busier(replica, least):
                best, best_score = replica, score
        return best

    def _saved(self, replica: Candidate, blocks: Sequence[int]) -> float:
        """Return how many ordinary requests the prefill is worth that the replica need not do."""
        model = self._model(replica)
        return model.trust * model.known(blocks) * BLOCK_BYTES / _SAVED_BYTES

    def _model(self, replica: Candidate) -> PrefixModel:
        """Return what is believed of a replica; one that was away is taken for empty."""
        model = self._models.get(replica.name)
        if model is None or model.returns != replica.returns:
            model = self._models[replica.name] = PrefixModel(self._most_blocks, returns=replica.returns)
        return model
