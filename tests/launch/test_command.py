"""What engines and the gateway are started with."""

import pytest

from vllm_gateway import codec
from vllm_gateway.launch.command import (
    check_installed,
    check_visible,
    engine_arguments,
    engine_environment,
    gateway_arguments,
    gateway_environment,
    upstreams,
)
from vllm_gateway.launch.plan import plan
from vllm_gateway.launch.wishes import Wishes, WishImpossible
from vllm_gateway.settings import Settings

TWO = Wishes(("org/a", "org/b"), gpus=2, tp=2, max_model_len=2048, more=("--enforce-eager",))


def test_a_missing_vllm_is_told_with_the_way_to_get_it() -> None:
    """And another command that is missing with its own name."""
    with pytest.raises(WishImpossible, match=r"vLLM is not installed here.*pip install vllm"):
        check_installed(Wishes(("a",)), "/nowhere")
    with pytest.raises(WishImpossible, match="no command 'mine'"):
        check_installed(Wishes(("a",), command=("mine",)), "/nowhere")


def test_an_engine_that_shares_is_started_so_that_it_can_sleep() -> None:
    """And listens on this machine only, since whoever reaches it can let it sleep."""
    engine = plan(TWO, [9000, 9001])[0]
    arguments = engine_arguments(engine, TWO)
    assert arguments[:5] == ["vllm", "serve", "org/a", "--host", "127.0.0.1"]
    assert arguments[-1] == "--enforce-eager"
    for flag in ("--enable-sleep-mode", "--tensor-parallel-size", "--max-model-len"):
        assert flag in arguments
    environment = engine_environment(engine, TWO, {"HF_TOKEN": "x"})
    assert environment == {"HF_TOKEN": "x", "CUDA_VISIBLE_DEVICES": "0,1", "VLLM_SERVER_DEV_MODE": "1"}


def test_an_engine_that_is_alone_has_no_way_to_be_put_to_sleep() -> None:
    """Those routes of vLLM are for development."""
    wishes = Wishes(("a",))
    (engine,) = plan(wishes, [9000])
    assert "--enable-sleep-mode" not in engine_arguments(engine, wishes)
    assert "VLLM_SERVER_DEV_MODE" not in engine_environment(engine, wishes, {})


def test_accelerators_are_counted_among_those_that_one_may_see() -> None:
    """Whoever lets us see the last two means those."""
    wishes = Wishes(("a", "b"), gpus=2)
    engine = plan(wishes, [9000, 9001])[1]
    assert engine_environment(engine, wishes, {"CUDA_VISIBLE_DEVICES": "6, 7"})["CUDA_VISIBLE_DEVICES"] == "7"


def test_more_accelerators_than_one_may_see_are_refused() -> None:
    """Otherwise two engines would be on the same one."""
    around = {"CUDA_VISIBLE_DEVICES": "2,3"}
    with pytest.raises(WishImpossible, match="--gpus 4 are more than CUDA_VISIBLE_DEVICES=2,3 shows"):
        check_visible(Wishes(("a",), gpus=4), around)
    check_visible(Wishes(("a",), gpus=2), around)
    check_visible(Wishes(("a",), gpus=4), {})
    check_visible(Wishes(("a",), gpus=4, on_cpu=True), around)


def test_an_engine_sees_none_of_the_gateways_settings() -> None:
    """It runs what came with a model; the key of the admin is not for that."""
    wishes = Wishes(("a",))
    (engine,) = plan(wishes, [9000])
    assert "GATEWAY_AUTH__ADMIN_KEY" not in engine_environment(engine, wishes, {"GATEWAY_AUTH__ADMIN_KEY": "secret"})


def test_on_a_cpu_the_users_own_cache_size_stays() -> None:
    """Otherwise there is one."""
    wishes = Wishes(("a",), on_cpu=True)
    (engine,) = plan(wishes, [9000])
    assert engine_environment(engine, wishes, {})["VLLM_CPU_KVCACHE_SPACE"] == "4"
    assert engine_environment(engine, wishes, {"VLLM_CPU_KVCACHE_SPACE": "9"})["VLLM_CPU_KVCACHE_SPACE"] == "9"
    assert "CUDA_VISIBLE_DEVICES" not in engine_environment(engine, wishes, {})


def test_the_gateway_is_told_of_its_replicas_in_a_form_that_it_accepts() -> None:
    """Replicas of a model have one route; those that share say so."""
    engines = plan(TWO, [9000, 9001])
    told = codec.loads(gateway_environment(engines, {})["GATEWAY_UPSTREAMS"])
    assert told == upstreams(engines)
    settings = Settings.model_validate({"upstreams": told})
    assert [each.accelerator for each in settings.upstreams] == ["slot-0", "slot-0"]
    replicas = plan(Wishes(("a",), gpus=2), [9000, 9001])
    assert [each["route"] for each in upstreams(replicas)] == ["model-0", "model-0"]


def test_the_gateway_listens_where_it_is_told() -> None:
    """And reads the file that was named."""
    arguments = gateway_arguments(Wishes(("a",), port=9, config="mine.yaml"))
    assert arguments[-4:] == ["--port", "9", "--config", "mine.yaml"]
    assert gateway_arguments(Wishes(("a",), host="::1"))[-2:] == ["--host", "::1"]


def test_without_a_flag_the_settings_of_the_gateway_count() -> None:
    """A flag would win over its file."""
    assert gateway_arguments(Wishes(("a",)))[-1] == "serve"
