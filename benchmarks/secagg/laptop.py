"""A laptop of the benchmark: the installed connection, state machine, clipping, noise and reply slots; no vault, no training.

Its folder holds `authority.pem`, `node.pem`, `signing.key` and `laptop.json`: `address`, `number`, `coordinator_key`, `directory`. The last
digit of the plan's base says how the last laptop drops out when its vector is due: 0 not at all, 1 by an error, 2 in silence.
"""

import json
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from traffic import note_calls

from hometone_client.federation.flower_calls import FleetCalls
from hometone_client.federation.flower_node import NodeConnection, RunFacts
from hometone_client.federation.reply_slots import ReplySlots
from hometone_shared.messages import Body
from hometone_shared.privacy.clipping import encode
from hometone_shared.privacy.noise import add_noise
from hometone_shared.records.plan import RoundPlan
from hometone_shared.records.signing import Envelope
from hometone_shared.secagg.participant import Participant


class Laptop:
    """Answers the five stages."""

    def __init__(self, folder: Path, stop: threading.Event) -> None:
        settings = json.loads((folder / "laptop.json").read_text())
        self._folder, self._stop = folder, stop
        self._number, self._last = settings["number"], settings["number"] == len(settings["directory"]) - 1
        self._coordinator_key = bytes.fromhex(settings["coordinator_key"])
        self._directory = {device: bytes.fromhex(key) for device, key in settings["directory"].items()}
        self._signing_key = Ed25519PrivateKey.from_private_bytes((folder / "signing.key").read_bytes())
        self._took = (folder / "took.jsonl").open("a", buffering=1)

    def answer(self, body: Body, facts: RunFacts) -> Body:
        """Answer; note how long it took without the noise and without the waiting for a slot."""
        del facts
        began, processor, self._noise_s = time.monotonic(), time.process_time(), 0.0
        answer = self._offered(body) if body.kind == "offer" else self._later(body)
        self._note(body.kind, time.process_time() - processor - self._noise_s)
        if body.kind in ("offer", "mask"):  # as the installed client: what hangs on private work leaves on a grid
            ReplySlots(self._plan.reply_slot_ms).wait(began)
        return answer

    def _note(self, stage: str, processor_s: float) -> None:
        self._took.write(json.dumps({"stage": stage, "processor_s": processor_s, "at": time.time()}) + "\n")

    def _offered(self, body: Body) -> Body:
        envelope = Envelope.from_document(body.document["plan"])
        self._plan, self._digest = RoundPlan.from_envelope(envelope, key=self._coordinator_key), envelope.digest
        # Fixed by number and dimension; this randomness protects nobody.
        update = np.random.default_rng([7, self._number, self._plan.dimension]).standard_normal(self._plan.dimension)
        self._clipped = encode(update, clip_norm=self._plan.clip_norm)
        self._participant = Participant(plan=self._plan, plan_digest=self._digest, signing_key=self._signing_key, speakers=1)
        return Body("offer", {"advertisement": self._participant.advertise()})

    def _later(self, body: Body) -> Body:
        if body.kind == "roster":
            return Body("roster", self._participant.share(body.document, directory=self._directory))
        if body.kind == "mask":
            return self._masked(body)
        if body.kind == "survivors":
            return Body("survivors", self._participant.sign(body.document))
        return Body("unmask", self._participant.unmask(body.document))

    def _masked(self, body: Body) -> Body:
        dropout = int(self._plan.base_sha256[-1]) if self._last else 0
        if dropout == 2:
            self._stop.wait()
        if dropout:
            raise RuntimeError("this laptop leaves here")
        self._participant.receive_shares(body.document)
        variance = self._plan.noise_variance(len(self._participant.roster.devices))
        processor = time.process_time()
        noisy = add_noise(self._clipped, variance=variance, plan_digest=self._digest)
        self._note("noise", time.process_time() - processor)
        np.save(self._folder / f"noisy-{self._digest}.npy", noisy.residues)  # for checking the sum
        self._noise_s = time.process_time() - processor
        return Body("mask", {}, self._participant.mask(noisy).to_bytes())


def main() -> int:
    folder = Path(sys.argv[1])
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    note_calls(FleetCalls, folder / "traffic.jsonl")
    connection = NodeConnection(
        address=json.loads((folder / "laptop.json").read_text())["address"],
        authority_pem=(folder / "authority.pem").read_bytes(),
        node_key=load_pem_private_key((folder / "node.pem").read_bytes(), password=None),
    )
    connection.serve(Laptop(folder, stop).answer, stop=stop, told=lambda word: print(json.dumps({"told": word}), flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
