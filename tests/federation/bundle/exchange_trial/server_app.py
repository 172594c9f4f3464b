"""Works through a script: a JSON file with `nodes` (how many to wait for), `stages` and `out` (where to write what came back)."""

import json
import time
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from hometone_server.flower.exchange import FlowerExchange
from hometone_shared.errors import FederationError
from hometone_shared.messages import Body

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    began = time.monotonic()
    script = json.loads(Path(str(context.run_config["script"])).read_text())
    stages = []
    with FlowerExchange(grid) as exchange:
        until = time.monotonic() + 20
        while len(nodes := exchange.nodes()) < script["nodes"]:
            if time.monotonic() > until:
                raise FederationError("too few nodes came")
            time.sleep(0.05)
        found_s = time.monotonic() - began
        for stage in script["stages"]:
            start = time.monotonic()
            body = Body(stage["kind"], stage["document"], bytes(stage.get("vector_bytes", 0)))
            if "note" in stage:
                Path(stage["note"]).write_text("sent")
            answers = exchange.exchange(
                dict.fromkeys(nodes, body),
                kind=stage["kind"],
                timeout_s=stage.get("timeout_s", 15.0),
                enough=(lambda so_far, least=stage["enough"]: len(so_far) >= least) if "enough" in stage else None,
            )
            stages.append(
                {
                    "seconds": time.monotonic() - start,
                    "answers": {
                        str(node): {
                            "kind": each.kind,
                            "document": each.document,
                            "vector": each.vector.hex()[:64],
                            "length": len(each.vector),
                        }
                        for node, each in answers.items()
                    },
                }
            )
    keys = {str(node): key.decode() if key else None for node, key in nodes.items()}
    out = Path(script["out"])
    out.with_suffix(".part").write_text(
        json.dumps({"found_s": found_s, "keys": keys, "stages": stages, "seconds": time.monotonic() - began})
    )
    out.with_suffix(".part").rename(out)
