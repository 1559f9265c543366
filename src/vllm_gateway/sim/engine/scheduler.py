"""Who runs and when: slots, the waiting line, the KV cache and the time that things take, as in vLLM's scheduler.

Everything happens in callbacks of the event loop; nothing here waits. The time to the first token grows with the prompt
tokens that the cache does not have, and prompts are computed one after the other, as they are on one accelerator.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from vllm_gateway.clock import Clock
from vllm_gateway.sim.engine.blocks import KvBlocks
from vllm_gateway.sim.engine.generation import Generation, Times
from vllm_gateway.sim.engine.meters import Meters

_AT_ONCE = 64
"""Tokens made in one go for a caller who reads the whole answer at its end, where tokens take no time."""


class QueueFull(Exception):
    """More runs and waits than the settings allow."""


class Scheduler:
    """Runs generations, at most `slots` at a time, first come first served."""

    def __init__(
        self,
        clock: Clock,
        meters: Meters,
        *,
        slots: int,
        most: int | None,
        kv_blocks: int,
        ttft_s: float,
        ttft_per_token_s: float,
        itl_s: float,
    ) -> None:
        self._clock = clock
        self._meters = meters
        self._loop = asyncio.get_running_loop()
        self._slots = slots
        self._most = most
        self._ttft_s = ttft_s
        self._ttft_per_token_s = ttft_per_token_s
        self._itl_s = itl_s
        self._prefill_free_at = 0.0
        self._is_wedged = False
        self.sleep_level = 0
        self._parked: list[Generation] = []
        self.kv = KvBlocks(kv_blocks)
        self.running: dict[Generation, None] = {}
        self.waiting: deque[Generation] = deque()
        self.most_running = 0

    def admit(self, count: int) -> None:
        """Raise `QueueFull` if `count` more generations are too many; those that run count, as they do in vLLM."""
        if self._most is not None and len(self.running) + len(self.waiting) + count > self._most:
            self._meters.refused += 1
            raise QueueFull

    def submit(self, generation: Generation) -> None:
        """Queue `generation`; its listener hears of every token until it is finished or cancelled."""
        generation.times.queued = self._clock.now()
        self.waiting.append(generation)
        self._start_waiting()

    def cancel(self, generation: Generation) -> None:
        """Stop `generation` at once and give its slot and its blocks to others; nobody is told."""
        if generation.is_ended:
            return
        if generation in self.running:
            self._leave(generation)
        else:
            generation.is_ended = True
            self.waiting.remove(generation)
            # It may have been the head of the line, with no room for it but for those behind.
            self._start_waiting()

    def abort(self, generation: Generation) -> None:
        """End `generation` from the engine's side: its caller reads `abort` as the reason."""
        if not generation.is_ended:
            self.cancel(generation)
            generation.finish_reason = "abort"
            self._meters.finished(generation, "abort")
            generation.listener.heard(generation, None, "")

    def sleep(self, level: int) -> None:
        """Abort everything and make no tokens until woken."""
        self.sleep_level = level
        for generation in [*self.running, *self.waiting]:
            self.abort(generation)

    def wake_up(self) -> None:
        """Make tokens again."""
        self.sleep_level = 0
        self._start_waiting()

    def wedge(self, *, is_wedged: bool) -> None:
        """Stop making tokens although everything looks alive, or go on; slots are given out all the same."""
        self._is_wedged = is_wedged
        if not is_wedged:
            parked, self._parked = self._parked, []
            for generation in parked:
                self._after(0, generation)

    def close(self) -> None:
        """Drop everything that runs or waits, without a word to anyone."""
        for generation in [*self.running, *self.waiting]:
            self.cancel(generation)

    def _start_waiting(self) -> None:
        while self.waiting and len(self.running) < self._slots and not self.sleep_level:
            generation = self.waiting[0]
            # Of a preempted one, all but the newest token is computed again: that one is about to be.
            so_far = [*generation.prompt, *generation.ids[:-1]]
            lease = self.kv.lease(so_far, generation.wish.salt)
            if lease is None:
                return
            self.waiting.popleft()
            generation.hold(lease)
            self.running[generation] = None
            self.most_running = max(self.most_running, len(self.running))
            now = self._clock.now()
            generation.times.scheduled = generation.times.scheduled or now
            self._prefill_free_at = max(self._prefill_free_at, now) + self._ttft_per_token_s * (
                len(so_far) - lease.cached_tokens
            )
            self._after(self._ttft_s + generation.delay_s + self._prefill_free_at - now, generation)

    def _after(self, delay_s: float, generation: Generation) -> None:
        step: Callable[[Generation], None] = self._step
        if delay_s > 0:
            generation.timer = self._loop.call_later(delay_s, step, generation)
        else:
            generation.timer = self._loop.call_soon(step, generation)

    def _step(self, generation: Generation) -> None:
        """Make the next token of `generation`, tell its listener, and come back for the one after."""
        if self._is_wedged:
            self._parked.append(generation)
            return
        for _ in range(_AT_ONCE if generation.wish.in_one_piece and not self._itl_s else 1):
            if not generation.make_room() and not self._evict_for(generation):
                return
            token, text = generation.step()
            now = self._clock.now()
            times = generation.times
            if len(generation.ids) > 1:
                self._meters.between.observe(now - times.last_token)
            else:
                times.first_token = times.due = now
                self._meters.first_token(generation)
            times.last_token = now
            self._meters.generation_tokens += 1
            if generation.finish_reason is not None:
                self._leave(generation)
                self._meters.finished(generation, generation.finish_reason)
            generation.listener.heard(generation, token, text)
            if generation.is_ended:
                return
        self._after(self._until_next(times) if self._itl_s else 0.0, generation)

    def _until_next(self, times: Times) -> float:
        """Return the time until the next token; if one was late, the next makes good for it, and no more than that."""
        times.due = max(times.due + self._itl_s, times.last_token)
        return times.due - times.last_token

    def _evict_for(self, generation: Generation) -> bool:
        """Send whoever came last back to the line until `generation` has room; False if that was itself."""
        while not generation.make_room():
            victim = next(reversed(self.running))
            self._preempt(victim)
            if victim is generation:
                return False
        return True

    def _preempt(self, victim: Generation) -> None:
        self._release(victim)
        self.waiting.appendleft(victim)
        self._meters.preemptions += 1

    def _leave(self, generation: Generation) -> None:
        generation.is_ended = True
        self._release(generation)
        if self.waiting:
            self._start_waiting()

    def _release(self, generation: Generation) -> None:
        del self.running[generation]
        if generation.timer is not None:
            generation.timer.cancel()
        if generation in self._parked:
            self._parked.remove(generation)
        if generation.lease:
            generation.lease.release()
