"""Several processes that serve at one port, and this one, which serves nothing and watches over them.

They are forked before there is an event loop or a thread: a new one is there in the time that its parts take to open,
and shares the memory of the code. Each has a socket of its own at the port (`SO_REUSEPORT`), because the system then
spreads connections evenly: processes that wait at one socket take them in bursts, all of one moment by the same. This
process holds the sockets open, so that connections which were given to a worker that dies wait for the next one.
"""

import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path

from vllm_gateway.clock import Clock, SystemClock
from vllm_gateway.serve.changes import effective
from vllm_gateway.serve.fork import END_OF_WORDS, RELOAD, RELOADED, SIGNALS, STOP, Fork, fork
from vllm_gateway.serve.listening import ADMIN_CURE, CURE, CannotListen, listen, listen_side_by_side
from vllm_gateway.serve.making import is_embedded
from vllm_gateway.serve.process import say
from vllm_gateway.serve.reloading import Read
from vllm_gateway.serve.supervisor import Supervisor
from vllm_gateway.serve.worker import Post, run_engine, work
from vllm_gateway.settings.model import Settings
from vllm_gateway.settings.problems import SettingsInvalid

log = logging.getLogger(__name__)

_SHORT_LIFE_S = 10.0
"""One that dies sooner may do so again and again."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0
_LAST_PATIENCE_S = 10.0
"""How long the drain may take longer than it may; then a process is killed."""
_HOPELESS = 3
"""After so many short lives connections are not kept waiting for the next one."""


class Member:
    """One of the processes."""

    def __init__(self, name: str, listener: socket.socket | None) -> None:
        self.name = name
        self.listener = listener
        self.fork: Fork | None = None
        self.heard = b""
        """What it has said since it was forked."""
        self.status: int | None = None
        """How the one before ended."""
        self.since = 0.0
        self.short_lives = 0
        self.due = 0.0
        """When the next one is to be forked."""

    @property
    def is_ready(self) -> bool:
        """It serves."""
        return END_OF_WORDS in self.heard

    @property
    def words(self) -> str:
        """What it said when it was ready."""
        return self.heard.partition(END_OF_WORDS)[0].decode()

    def tell(self, order: bytes) -> None:
        """Say something to the process, if there is one."""
        if self.fork is not None:
            try:
                self.fork.channel.send(order)
            except OSError:
                log.debug("%s is gone", self.name)

    def kill(self) -> None:
        """End the process at once, if there is one."""
        if self.fork is not None:
            os.kill(self.fork.pid, signal.SIGKILL)


class Crew:
    """The processes of one gateway."""

    def __init__(
        self,
        settings: Settings,
        read: Read | None,
        *,
        listeners: list[socket.socket],
        beside: socket.socket | None,
        folder: Path,
        clock: Clock,
    ) -> None:
        self._settings = settings
        """Those that count, for a worker that comes."""
        self._read = read
        self._beside = beside
        self._folder = folder
        self._clock = clock
        self._port = listeners[0].getsockname()[1]
        self._workers = [Member(f"worker {number}", listener) for number, listener in enumerate(listeners)]
        self._engine = Member("embedded engine", None) if is_embedded(settings) else None
        self._engine_url: str | None = None
        """Where it runs; it comes back there."""
        self._selector = selectors.DefaultSelector()
        self._asked = 0
        """How often this process was asked to stop."""
        self._has_begun = False
        self._supervisor = Supervisor(clock=clock)

    def run(self) -> int:
        """Have them serve until told to stop; return the exit status."""
        with self._selector, self._on_signals():
            if self._begin():
                self._watch()
            return self._end()

    @property
    def _all(self) -> list[Member]:
        return [*([self._engine] if self._engine is not None else []), *self._workers]

    def _begin(self) -> bool:
        """Start one after the other, so that what keeps one from starting is told once."""
        for member in self._all:
            if self._asked:
                return False
            self._start(member)
            while not member.is_ready and member.fork is not None:
                self._turn(None)
            if not member.is_ready:
                return False
            if member is self._engine:
                self._engine_url = member.words
            else:
                self._has_begun = True
        if not self._asked:
            say(self._workers[0].words)
            self._supervisor.ready()
        return True

    def _watch(self) -> None:
        """Put new ones in the place of those that die, until asked to stop."""
        while not self._asked:
            missing = [each for each in self._all if each.fork is None]
            for each in missing:
                if each.due <= self._clock.now():
                    self._start(each)
            waits = [each.due - self._clock.now() for each in missing if each.fork is None]
            self._turn(max(0.0, min(waits)) if waits else None)

    def _end(self) -> int:
        """Let all come to their end, the engine behind those that use it."""
        for each in self._workers:
            if each.listener is not None:
                each.listener.close()
        if self._beside is not None:
            self._beside.close()
        is_orderly = self._asked > 0
        if not is_orderly:
            self._tell(STOP * 2)
        within_s = self._settings.drain_delay_s + self._settings.drain_s + _LAST_PATIENCE_S
        statuses = [self._last_of(self._workers, within_s)]
        if self._engine is not None:
            self._engine.tell(STOP)
            statuses.append(self._last_of([self._engine], _LAST_PATIENCE_S))
        return 0 if is_orderly and not any(statuses) else 1

    def _last_of(self, members: list[Member], within_s: float) -> int:
        """Wait until all of them are gone; return 0 if every one that was there ended well."""
        there, until = [each for each in members if each.fork is not None], self._clock.now() + within_s
        while any(each.fork is not None for each in there):
            left_s = until - self._clock.now()
            if left_s <= 0:
                for each in there:
                    each.kill()
            self._turn(max(left_s, 0.1))
        return int(any(each.status for each in there))

    def _start(self, member: Member) -> None:
        try:
            if member.listener is not None and member.listener.fileno() < 0:
                member.listener = listen(self._settings.host, self._port, cure=CURE, is_shared=True)
        except CannotListen as error:
            log.error("%s", error)  # noqa: TRY400 - the sentence says it all
            member.due = self._clock.now() + _LONGEST_PAUSE_S
            return
        member.heard, member.since = b"", self._clock.now()
        member.fork = fork(self._work_of(member), closing=self._foreign(member))
        self._selector.register(member.fork.channel, selectors.EVENT_READ, member)

    def _work_of(self, member: Member) -> Callable[[socket.socket], int]:
        if member.listener is None:
            return partial(run_engine, int((self._engine_url or ":0").rpartition(":")[2]))
        post = Post(
            number=self._workers.index(member),
            count=len(self._workers),
            settings=self._settings,
            read=self._read,
            listener=member.listener,
            beside=self._beside,
            folder=self._folder,
            engine_url=self._engine_url,
            is_first=not self._has_begun,
        )
        return partial(work, post)

    def _foreign(self, member: Member) -> list[socket.socket]:
        """Return what a process must not hold open: as long as anybody does, it is open for all."""
        channels = [each.fork.channel for each in self._all if each.fork is not None]
        listeners = [each.listener for each in self._workers if each.listener is not None]
        own = (member.listener, *([self._beside] if member.listener is not None else []))
        sockets = [*channels, *listeners, *([self._beside] if self._beside is not None else [])]
        return [each for each in sockets if all(each is not one for one in own)]

    def _turn(self, at_most_s: float | None) -> None:
        """Hear what there is to hear, at most for so long."""
        for key, _ in self._selector.select(at_most_s):
            if isinstance(key.data, Member):
                self._hear(key.data)
            elif isinstance(key.fileobj, socket.socket):
                self._hear_signals(key.fileobj)

    def _hear_signals(self, signals: socket.socket) -> None:
        for number in signals.recv(4096):
            if number != signal.SIGHUP:
                self._supervisor.stopping()
                self._asked += 1
                self._tell(STOP)
                continue
            self._supervisor.reloading()
            if self._reread():
                self._tell(RELOAD)
            self._supervisor.ready()

    def _tell(self, order: bytes) -> None:
        for each in self._workers:
            each.tell(order)

    def _hear(self, member: Member) -> None:
        fork = member.fork
        if fork is None:
            return
        try:
            said = fork.channel.recv(65_536)
        except OSError:
            said = b""
        if not said:
            self._bury(member, fork)
        elif member.is_ready and RELOADED in said:
            self._reread()
        else:
            member.heard += said

    def _bury(self, member: Member, fork: Fork) -> None:
        self._selector.unregister(fork.channel)
        fork.channel.close()
        _, ended = os.waitpid(fork.pid, 0)
        member.fork, member.status = None, os.waitstatus_to_exitcode(ended)
        now = self._clock.now()
        member.short_lives = member.short_lives + 1 if now - member.since < _SHORT_LIFE_S else 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (member.short_lives - 1))
        member.due = now + pause_s
        if self._has_begun and not self._asked:
            how = f"by signal {-member.status}" if member.status < 0 else f"with status {member.status}"
            log.error("%s (process %d) ended %s; another one follows in %g s", member.name, fork.pid, how, pause_s)
        if member.short_lives >= _HOPELESS and member.listener is not None and len(set(self._listeners)) > 1:
            member.listener.close()

    @property
    def _listeners(self) -> list[int]:
        return [id(each.listener) for each in self._workers]

    def _reread(self) -> bool:
        """Read the settings again, for workers that come; say whether they can be used."""
        if self._read is None:
            return True
        try:
            self._settings = effective(self._settings, self._read())
        except SettingsInvalid as invalid:
            problems = "; ".join(problem.line for problem in invalid.problems)
            log.error("The settings stay as they were: %s.", problems)  # noqa: TRY400 - the sentence says it all
            return False
        return True

    @contextmanager
    def _on_signals(self) -> Iterator[None]:
        """Hear of signals as of everything else."""
        theirs, ours = socket.socketpair()
        with theirs, ours:
            theirs.setblocking(False)  # noqa: FBT003 - its argument has no name
            ours.setblocking(False)  # noqa: FBT003 - as above
            handlers = {each: signal.signal(each, lambda *_: None) for each in SIGNALS}
            before = signal.set_wakeup_fd(theirs.fileno())
            self._selector.register(ours, selectors.EVENT_READ)
            try:
                yield
            finally:
                self._selector.unregister(ours)
                signal.set_wakeup_fd(before)
                for each, handler in handlers.items():
                    signal.signal(each, handler)


def load_ahead(settings: Settings) -> None:
    """Load what workers need and would otherwise load each for itself, each time that one takes another's place."""
    backend = "sql" if settings.session.backend in {"sqlite", "postgres"} else settings.session.backend
    wanted = ["uvloop", f"vllm_gateway.sessions.stores.{backend}"]
    if settings.limits.backend == "redis":
        wanted.append("vllm_gateway.admission.limits.redis")
    for name in wanted:
        with suppress(ImportError):  # which the first worker tells, in a sentence
            import_module(name)


def run_workers(settings: Settings, read: Read | None) -> int:
    """Serve with several processes until told to stop; return the exit status.

    Raises:
        CannotListen: an address cannot be listened on.
    """
    if sys.platform == "win32":
        raise CannotListen("Windows cannot share a port among workers. Set workers to 1.")
    admin = settings.admin
    load_ahead(settings)
    with ExitStack() as stack:
        listeners = listen_side_by_side(settings.host, settings.port, settings.workers, cure=CURE)
        for each in listeners:
            stack.enter_context(each)
        beside = None
        if settings.auth.admin_key is not None:
            beside = stack.enter_context(listen(admin.host, admin.port, cure=ADMIN_CURE))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vllm-gateway-"))
        crew = Crew(settings, read, listeners=listeners, beside=beside, folder=Path(folder), clock=SystemClock())
        return crew.run()
