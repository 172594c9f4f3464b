"""A laptop of its own: started by tests and benchmarks with a folder that holds `authority.pem`, `node.pem` and `laptop.json`.

`laptop.json`: `address`, `does` ("echo", "refuse", "fail", "sleep"), `clock_offset_s`, polls. Prints a JSON line for everything worth
knowing.
"""

import datetime as dt
import json
import signal
import sys
import threading
import time
from pathlib import Path

STARTED = time.monotonic()


def say(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def main() -> int:
    folder = Path(sys.argv[1])
    settings = json.loads((folder / "laptop.json").read_text())
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from hometone_client.federation import flower_calls
    from hometone_client.federation.flower_node import NodeConnection, RunFacts
    from hometone_shared.errors import FederationError, HometoneError
    from hometone_shared.messages import Body

    sent: list[dict[str, object]] = []
    if "clock_offset_s" in settings:
        _shift_clock(flower_calls, settings["clock_offset_s"])
    if settings.get("trace"):
        _trace(flower_calls, sent)

    def handle(body: Body, facts: RunFacts) -> Body:
        if settings["does"] == "refuse":
            raise FederationError("not today", hint="ask tomorrow")
        if settings["does"] == "fail":
            raise RuntimeError("a secret of this laptop")
        if settings["does"] == "sleep":
            time.sleep(settings["sleep_s"])
        answer = body.document.get("answer", {})
        document = {"fab": facts.fab_hash, "task": facts.primary_task_type, "config": sorted(facts.override_config), "answer": answer}
        return Body(body.kind, document, body.vector)

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    polls = {name: settings[name] for name in ("quickest_poll_s", "slowest_poll_s") if name in settings}
    key = load_pem_private_key((folder / "node.pem").read_bytes(), password=None)
    try:
        connection = NodeConnection(
            address=settings["address"], authority_pem=(folder / "authority.pem").read_bytes(), node_key=key, **polls
        )
        connection.serve(handle, stop=stop, told=lambda word: say(told=word, after_s=time.monotonic() - STARTED))
    except HometoneError as error:
        say(error=error.message, hint=error.hint, kind=type(error).__name__)
        return error.exit_code
    status = Path("/proc/self/status")
    peak = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")] if status.is_file() else []
    torch_like = sorted({"torch", "fastapi", "ray", "flwr.superlink"} & set(sys.modules))
    say(stopped=True, peak_kib=int(peak[0]) if peak else None, sent=sent, loaded=torch_like)
    return 0


def _shift_clock(module: object, offset_s: float) -> None:
    """Let the connection read a wrong clock."""

    class Shifted(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.now(tz) + dt.timedelta(seconds=offset_s)

    class Time:
        monotonic, sleep = staticmethod(time.monotonic), staticmethod(time.sleep)

        @staticmethod
        def time() -> float:
            return time.time() + offset_s

    class Dt:
        datetime = Shifted
        UTC = dt.UTC

    module.dt, module.time = Dt, Time


def _trace(module: object, sent: list[dict[str, object]]) -> None:
    """Note path and body length of every request."""
    signature = module.FleetCalls
    original = signature.intercept

    def intercept(self: object, context: object, call_next: object) -> object:
        response = original(self, context, call_next)
        sent.append({"path": context.request.url.path, "up": len(context.request.content), "down": len(response.content)})
        return response

    signature.intercept = intercept


if __name__ == "__main__":
    sys.exit(main())
