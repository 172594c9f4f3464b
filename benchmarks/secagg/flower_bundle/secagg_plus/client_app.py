"""A node under Flower's `secaggplus_mod`; the outermost mod only notes how long each stage takes the node itself."""

import json
import time
from pathlib import Path

from flwr.client import NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp

from secagg_plus.vectors import vector

MONTH_S = 30 * 86_400


class FixedVector(NumPyClient):
    """Gives one vector; is asked in the third stage only, when the masked vector is due."""

    def __init__(self, number: int, config: dict) -> None:
        self._number, self._config = number, config

    def fit(self, parameters: list, config: dict) -> tuple[list, int, dict]:
        """Give it, or be the dropout."""
        del parameters, config
        if self._number == self._config["laptops"] - 1:
            if self._config["dropout"] == "fails":
                raise RuntimeError("this node leaves here")
            if self._config["dropout"] == "silent":
                time.sleep(MONTH_S)
        return [vector(self._number, self._config["dimension"])], 1, {}


def measured(message, context, call_next):
    """Note seconds by stage."""
    stage = dict(message.content.config_records).get("secaggplus_configs", {}).get("stage", "other")
    began = time.process_time()
    answer = call_next(message, context)
    took = {"stage": stage, "processor_s": time.process_time() - began}
    number = context.node_config["partition-id"]
    Path(context.run_config["out"], f"node-{number}-{stage}.json").write_text(json.dumps(took))
    return answer


app = ClientApp(
    client_fn=lambda context: FixedVector(int(context.node_config["partition-id"]), dict(context.run_config)).to_client(),
    mods=[measured, secaggplus_mod],
)
