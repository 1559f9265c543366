"""The tokenizers of replicas."""

from pathlib import Path

import pytest

from tests.sessions.test_tokenizer import CHATML, write
from vllm_gateway.clock import HandClock
from vllm_gateway.serve.tokenizers import Tokenizers
from vllm_gateway.sessions.tokenizer import TokenizerUnusable
from vllm_gateway.settings.model import Upstream
from vllm_gateway.upstream.pool import Pool


async def test_each_folder_is_read_once_and_found_by_every_replica_that_has_it(tmp_path: Path) -> None:
    """Also by one that came later; one without a folder has none, and neither has a name that nobody has."""
    folder = str(write(tmp_path, {"chat_template": CHATML}))
    with_it = [Upstream(url=f"http://h{number}", tokenizer_path=folder) for number in range(2)]
    pool = Pool([*with_it, Upstream(url="http://h3")], clock=HandClock(), connect_s=1)
    tokenizers = Tokenizers(pool)
    assert (len(tokenizers), "default-1" in tokenizers) == (0, False)
    await tokenizers.read(with_it)
    assert list(tokenizers) == ["default-1", "default-2"]
    first = tokenizers["default-1"]
    assert tokenizers["default-2"] is first
    assert "nobody" not in tokenizers
    await tokenizers.read(with_it)
    assert pool.add(with_it[0]).name == "default-4"
    assert tokenizers["default-4"] is tokenizers["default-1"] is first


async def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    """Nothing is taken over with a tokenizer that cannot count."""
    tokenizers = Tokenizers(Pool(clock=HandClock(), connect_s=1))
    with pytest.raises(TokenizerUnusable):
        await tokenizers.read([Upstream(url="http://h", tokenizer_path=str(tmp_path))])
