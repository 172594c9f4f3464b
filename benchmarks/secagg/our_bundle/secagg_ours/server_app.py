"""One round, driven by the installed `RoundDriver`; the plan is made and signed here, as a campaign does, and not put into a log."""

import json
import os
import secrets
import time
from pathlib import Path

import numpy as np
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from hometone_server.flower.exchange import FlowerExchange
from hometone_server.home import HOME_VARIABLE, CoordinatorHome
from hometone_server.rounds.driver import RoundDriver, Times, require_cohort
from hometone_shared.records.plan import RoundPlan, RoundPurpose

NOTHING = "0" * 64
DROPOUTS = ("none", "fails", "silent")
app = ServerApp()


def _plan(script: dict) -> RoundPlan:
    now = int(time.time())
    return RoundPlan(
        run=secrets.token_hex(8), round_number=1, attempt=1, purpose=RoundPurpose.MODEL,
        base_sha256=NOTHING[:-1] + str(DROPOUTS.index(script["dropout"])), basis_sha256=NOTHING, release=0, release_sha256=NOTHING,
        dimension=script["dimension"], clip_norm=1.0, noise_multiplier=1.0, colluders=0, minimum_cohort=script["laptops"], issued=now,
        deadline=now + 3600, reply_slot_ms=250, log_size=0, log_root=NOTHING, bundle_sha256=NOTHING,
    )  # fmt: skip


@app.main()
def main(grid: Grid, context: Context) -> None:
    began = time.monotonic()
    script = json.loads(Path(str(context.run_config["script"])).read_text())
    out = Path(script["out"])
    with FlowerExchange(grid) as exchange:
        require_cohort(exchange, least=script["laptops"], gather_s=60.0)
        ready = time.monotonic()
        plan = _plan(script)
        envelope = plan.signed(CoordinatorHome(Path(os.environ[HOME_VARIABLE])).signing_key())
        directory = {device: bytes.fromhex(key) for device, key in script["directory"].items()}
        times = Times(prepare_s=script["timeout_s"], stage_s=script["timeout_s"])
        driver = RoundDriver(plan=plan, envelope=envelope, directory=directory, exchange=exchange, times=times)
        driving = time.monotonic()
        total = driver.run()
        ended = time.monotonic()
    np.save(out / "values.npy", total.values)
    result = {
        "seconds": {**driver.figures.seconds, "whole": ended - driving},
        "figures": driver.figures.to_record(),
        "survivors": list(total.survivors),
        "plan": envelope.digest,
        "found_s": ready - began,
    }
    (out / "part").write_text(json.dumps(result))
    (out / "part").rename(out / "result.json")
