"""One round of Flower's `SecAggPlusWorkflow`, unchanged but for a clock around every stage."""

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import Context
from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server import LegacyContext, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
from flwr.serverapp import Grid, ServerApp

STAGES = {
    "setup_stage": "setup",
    "share_keys_stage": "share keys",
    "collect_masked_vectors_stage": "masked vectors",
    "unmask_stage": "unmask",
}
app = ServerApp()


class Timed(SecAggPlusWorkflow):
    """The workflow with a clock."""

    def __init__(self, *args: object, **named: object) -> None:
        super().__init__(*args, **named)
        self.seconds: dict[str, float] = {}
        for method, stage in STAGES.items():
            setattr(self, method, self._clocked(getattr(self, method), stage))

    def _clocked(self, method: object, stage: str) -> object:
        def clocked(grid: object, context: object, state: object) -> bool:
            began = time.monotonic()
            went_on = method(grid, context, state)
            self.seconds[stage] = time.monotonic() - began
            return went_on

        return clocked

    def __call__(self, grid: Grid, context: Context) -> None:
        began = time.monotonic()
        super().__call__(grid, context)
        self.seconds["whole"] = time.monotonic() - began


class Kept(FedAvg):
    """FedAvg that keeps what the workflow hands over."""

    average: np.ndarray | None = None
    results = failures = 0

    def aggregate_fit(self, server_round: int, results: list, failures: list) -> tuple:
        """Keep it; the workflow's result is the same for every node."""
        self.results, self.failures = len(results), len(failures)
        self.average = parameters_to_ndarrays(results[0][1].parameters)[0]
        return super().aggregate_fit(server_round, results, failures)


@app.main()
def main(grid: Grid, context: Context) -> None:
    began = time.monotonic()
    config = dict(context.run_config)
    strategy = Kept(
        fraction_fit=1.0,
        fraction_evaluate=0.0,
        min_fit_clients=config["laptops"],
        min_available_clients=config["laptops"],
        initial_parameters=ndarrays_to_parameters([np.zeros(1, dtype=np.float32)]),
    )
    legacy = LegacyContext(context=context, config=ServerConfig(num_rounds=1), strategy=strategy)
    workflow = Timed(1.0, config["threshold"] / config["laptops"], max_weight=1.0, timeout=config["timeout-s"])
    DefaultWorkflow(fit_workflow=workflow)(grid, legacy)
    out = Path(config["out"])
    if strategy.average is not None:
        np.save(out / "average.npy", strategy.average)
    whole = {"seconds": workflow.seconds, "results": strategy.results, "app_s": time.monotonic() - began}
    (out / "part").write_text(json.dumps(whole))
    (out / "part").rename(out / "result.json")
