"""Runs the coordinator's two processes, the SuperLink with its gateway and the executor, until somebody says stop.

1. Prepare the folder; start the SuperLink, wait for its word, then the executor. What they cannot do they say in words, which are raised
   here.
2. Watch both. One that dies is started again, after a pause that grows with every death (1 s to 60 s) and is forgotten after five good
   minutes; each death and each start is one line in `logs/supervisor.log`.
3. On SIGINT, SIGTERM or `stop`: ask both to end, wait, and kill what does not. Their standard input is a pipe from here, so they end too
   when this process is killed.

The children have a process group of their own: a Ctrl-C in the terminal reaches this process alone, which then ends them in order.
"""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hometone_server.flower.folder import FlowerFolder
from hometone_server.flower.logs import redacted
from hometone_server.flower.superlink import GATEWAY_APPLICATION
from hometone_server.home import CoordinatorHome
from hometone_shared.errors import FederationError

_START_PATIENCE_S: Final = 60.0
_STOP_PATIENCE_S: Final = 8.0
_LOOK_S: Final = 0.2
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_GOOD_S: Final = 300.0
_LOG: Final = logging.getLogger("hometone.supervisor")


class _Child:
    """One program, started again and again."""

    def __init__(self, name: str, command: Sequence[str], folder: FlowerFolder) -> None:
        self.name = name
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._began = 0.0
        self._again_at = 0.0

    def start(self, stop: threading.Event) -> None:
        """Start it and wait until it is ready; returns early when `stop` is set.

        Raises:
            FederationError: It cannot start; the message is its own.
        """
        self._began = time.monotonic()
        environment = {**os.environ, **self._folder.environment()}
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-m", *self._command, "--home", str(self._folder.home.root), "--with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self._process = process
        words: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(process, words), name=f"{self.name}-words", daemon=True).start()
        until = self._began + _START_PATIENCE_S
        while not stop.is_set():
            try:
                _check(words.get(timeout=_LOOK_S), self.name)
            except queue.Empty:
                if time.monotonic() > until:
                    self.end()
                    raise FederationError(f"the coordinator's {self.name} does not become ready", hint="its log says more") from None
                continue
            _LOG.info("%s is ready", self.name)
            return

    def watch(self, stop: threading.Event) -> None:
        """Start it again if it has died and its pause is over."""
        if self._process is not None and self._process.poll() is not None:
            code, lived_s = self._process.returncode, time.monotonic() - self._began
            self.end()
            if lived_s > _GOOD_S:
                self._pause_s = _FIRST_PAUSE_S
            self._again_at = time.monotonic() + self._pause_s
            _LOG.warning("%s ended after %.0f s with code %d; it is started again in %.0f s", self.name, lived_s, code, self._pause_s)
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        if self._process is None and time.monotonic() >= self._again_at:
            try:
                self.start(stop)
            except FederationError as error:
                self.end()
                self._again_at = time.monotonic() + self._pause_s
                self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
                _LOG.warning("%s: %s", self.name, redacted(error.message))

    def end(self) -> None:
        """Ask it to end, wait, and kill it if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(_STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            _LOG.warning("%s did not end when asked, and was killed", self.name)
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    @property
    def process_id(self) -> int | None:
        """Its process's number while it runs."""
        return self._process.pid if self._process is not None else None


def serve(
    home: CoordinatorHome,
    *,
    bind: str | None = None,
    bundle: Path | None = None,
    gateway_application: str | None = GATEWAY_APPLICATION,
    stop: threading.Event | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> None:
    """Run the coordinator until SIGINT, SIGTERM or `stop`; leaves nothing running.

    Args:
        home: The coordinator, after `init`.
        bind: `host:port` to listen on where it is not the address's port on all interfaces; remembered.
        bundle: Another bundle's folder, for tests.
        gateway_application: `module:function` of what is mounted under `/hometone/`; `None` mounts nothing.
        stop: Ends it from another thread; without one, signals are caught, which only the main thread may do.
        told: Called with "ready" once laptops can connect.

    Raises:
        FederationError: A port is taken, a certificate has ended, the clock is wrong, or a process does not start.
        StorageError: The folder cannot be written.
        UsageError: There is no coordinator in the folder.
    """
    folder = FlowerFolder(home.require())
    folder.prepare(bind=bind)
    folder.certificates.check()
    gateway = ["--without-gateway-app"] if gateway_application is None else ["--gateway-app", gateway_application]
    listening = ["--bind", bind] if bind is not None else []
    programs = ["--bundle", str(bundle)] if bundle is not None else []
    children = (
        _Child("superlink", ["hometone_server.flower.superlink", *gateway, *listening], folder),
        _Child("executor", ["hometone_server.flower.executor", *programs], folder),
    )
    with _own_log(folder.home.logs / "supervisor.log"), _stopped_by_signals(stop) as ending:
        try:
            for child in children:
                child.start(ending)
            if not ending.is_set():
                told("ready")
            while not ending.wait(_LOOK_S):
                for child in children:
                    child.watch(ending)
        finally:
            for child in reversed(children):
                child.end()
            _LOG.info("stopped")


def _listen(process: subprocess.Popen[bytes], words: "queue.SimpleQueue[bytes]") -> None:
    """Hand on the child's first line, and read the rest so that the pipe never fills."""
    if process.stdout is None:
        return
    try:
        words.put(process.stdout.readline())
        while process.stdout.read(4096):
            pass
    except (OSError, ValueError):
        return


def _check(line: bytes, name: str) -> None:
    try:
        word = json.loads(line)
        if word.get("ready") is True:
            return
        message, hint = str(word["message"]), str(word["hint"])
    except (ValueError, KeyError, AttributeError) as error:
        raise FederationError(f"the coordinator's {name} ended before it was ready", hint="its log says more") from error
    raise FederationError(message, hint=hint)


@contextmanager
def _own_log(path: Path) -> Iterator[None]:
    """Write this module's log to its own file for a while; the rest of the process keeps its logging."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False
    try:
        yield
    finally:
        _LOG.removeHandler(handler)
        handler.close()


@contextmanager
def _stopped_by_signals(stop: threading.Event | None) -> Iterator[threading.Event]:
    if stop is not None:
        yield stop
        return
    ending = threading.Event()
    before = {number: signal.signal(number, lambda *_: ending.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
