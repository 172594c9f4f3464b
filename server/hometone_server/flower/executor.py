"""The executor: takes the coordinator's ServerApp tasks and runs them, in a process that has everything loaded already.

    python -m hometone_server.flower.executor --home FOLDER

1. Load the bundle's ServerApp, and with it the whole server.
2. Ask the SuperLink for a task: at once after `runs.start_run` touched the wake file, else every two seconds. (Every question is a write to
   the SuperLink's database, so it is not asked for nothing.)
3. Take the task's input. Another bundle than the one on this disk is not run, whoever started it.
4. Run the ServerApp with a grid for that task, with heartbeats beside it; report how it ended. Details of a failure are the error's own
   message, never the text of a foreign exception.

Flower's stock `flower-superexec` with `flwr-serverapp` would run the same bundle, but starts a Python for every run (docs/decisions/0008).
"""

import argparse
import importlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from hometone_server.flower.bundle import bundle_settings, bundle_sha256, default_bundle
from hometone_server.flower.child import announce_failure, announce_ready, when_parent_ends
from hometone_server.flower.folder import FlowerFolder
from hometone_server.flower.logs import adopt_flower, open_log
from hometone_server.home import CoordinatorHome
from hometone_shared.errors import FederationError, HometoneError

if TYPE_CHECKING:
    from flwr.serverapp import ServerApp

_LOOK_S: Final = 0.03
_ASK_S: Final = 2.0
_BEAT_S: Final = 15.0
_START_PATIENCE_S: Final = 30.0
_LOG: Final = logging.getLogger("hometone.executor")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedBundle:
    """The ServerApp and what identifies it.

    Attributes:
        app: Flower's ServerApp.
        sha256: Hash of the bundle it came from.
        settings: Settings of a run with their defaults.
    """

    app: "ServerApp"
    sha256: str
    settings: dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the parent's end; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hometone_server.flower.executor")
    parser.add_argument("--home", type=Path, required=True, help="the coordinator's folder")
    parser.add_argument("--bundle", type=Path, default=None, help="folder of the bundle, where it is not the coordinator's own")
    parser.add_argument("--with-parent", action="store_true", help="stop when the standard input closes")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    if options.with_parent:
        when_parent_ends(lambda: signal.raise_signal(signal.SIGTERM))
    try:
        folder = FlowerFolder(CoordinatorHome(options.home).require())
        folder.enter()
        open_log(folder.home.logs / "executor.log")
        bundle = load_bundle(options.bundle or default_bundle())
        announce_ready()
        serve(folder, bundle)
    except HometoneError as error:
        return announce_failure(error)


def load_bundle(place: Path) -> LoadedBundle:
    """Import the ServerApp of a bundle's folder.

    Raises:
        FederationError: There is none, or it does not load.
    """
    from flwr.serverapp import ServerApp

    import hometone_server.flower.grid  # noqa: F401 - so that the first run does not wait for it

    adopt_flower()
    reference, settings = bundle_settings(place)
    sha256 = bundle_sha256(place)
    module, _, attribute = reference.partition(":")
    sys.path.insert(0, str(place))
    try:
        app = getattr(importlib.import_module(module), attribute)
    except HometoneError:
        raise
    except Exception as error:
        raise FederationError("the bundle's program does not load", hint=f"{type(error).__name__} in {module}") from error
    if not isinstance(app, ServerApp):
        raise FederationError("the bundle's program is no ServerApp")
    return LoadedBundle(app=app, sha256=sha256, settings=settings)


def serve(folder: FlowerFolder, bundle: LoadedBundle) -> NoReturn:
    """Take tasks for ever, one after the other; a SuperLink that is away is waited for."""
    from flwr.proto.runtime_pb2 import AcquireTaskRequest
    from flwr.supercore.constant import TaskType

    from hometone_server.flower.calls import call, executor_client

    request = AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP])
    while True:
        # A new client each time the connection failed: the SuperLink may have come back on another port.
        with executor_client(folder) as client:
            try:
                while True:
                    seen = _touched(folder.wake)
                    response = call(client.AcquireTask, request, what="tasks cannot be taken")
                    if response.HasField("task") and response.token:
                        run_task(folder, bundle, token=response.token)
                        continue
                    until = time.monotonic() + _ASK_S
                    while time.monotonic() < until and _touched(folder.wake) == seen:
                        time.sleep(_LOOK_S)
            except FederationError as error:
                _LOG.warning("%s", error.message)
                time.sleep(_LOOK_S * 10)


def run_task(folder: FlowerFolder, bundle: LoadedBundle, *, token: str) -> None:
    """Run one task from its input to its report."""
    from flwr.common.constant import SubStatus
    from flwr.common.serde import context_from_proto, run_from_proto
    from flwr.proto.runtime_pb2 import PullTaskInputRequest, PushTaskOutputRequest
    from flwr.supercore.task_identity import TaskIdentity

    from hometone_server.flower.calls import call, task_client
    from hometone_server.flower.grid import TaskGrid

    with task_client(folder, token) as client:
        ending, details, done = SubStatus.FAILED, "the task ended without a word", threading.Event()
        beats = threading.Thread(target=_beat, args=(client, done), name="beats", daemon=True)
        beats.start()
        try:
            until = time.monotonic() + _START_PATIENCE_S
            taken = call(client.PullTaskInput, PullTaskInputRequest(), what="the task cannot be started", until=until)
            run, context = run_from_proto(taken.run), context_from_proto(taken.context)
            TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = taken.task_id, run.run_id, context.node_id
            if run.fab_hash != bundle.sha256:
                raise FederationError("the run was started with another bundle")  # noqa: TRY301 - reported like every other failure
            context.run_config = {**bundle.settings, **run.override_config}
            _LOG.info("a run begins")
            bundle.app(grid=TaskGrid(client, run), context=context)
            ending, details = SubStatus.COMPLETED, ""
        except HometoneError as error:
            details = error.message
        except SystemExit:
            ending, details = SubStatus.STOPPED, "the coordinator was stopped"
            raise
        except Exception as error:
            _LOG.exception("a run failed")
            details = f"the program failed ({type(error).__name__})"
        finally:
            done.set()
            _LOG.info("a run ended: %s %s", ending, details)
            try:
                call(client.PushTaskOutput, PushTaskOutputRequest(sub_status=ending, details=details), what="the end cannot be reported")
            except FederationError as error:
                _LOG.warning("%s", error.message)


def _beat(client: Any, done: threading.Event) -> None:
    from flwr.proto.runtime_pb2 import SendTaskHeartbeatRequest

    while not done.is_set():
        try:
            client.SendTaskHeartbeat(SendTaskHeartbeatRequest())
        except Exception as error:  # the main thread's own calls say what is wrong
            _LOG.info("a heartbeat failed: %s", type(error).__name__)
        done.wait(_BEAT_S)


def _touched(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
