"""A coordinator with a history: laptops, rounds of all purposes, somebody who has gone and wishes a replay, and a panel."""

from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.replaying_federation import Federation

from hometone_server.flower.runs import NodeState
from hometone_server.records.panels import Panels, panel_of_draft
from hometone_shared.errors import FederationError
from hometone_shared.privacy.cells import CELLS, HISTOGRAM_CLIP_NORM, cells_of, one_hot
from hometone_shared.privacy.evaluation import EVALUATION_CLIP_NORM, EVALUATION_DIMENSION, evaluation_vector
from hometone_shared.privacy.listening import LISTENING_CLIP_NORM, LISTENING_DIMENSION, Condition, listening_vector
from hometone_shared.records.device import DeviceEntry
from hometone_shared.records.panel import Scale
from hometone_shared.records.plan import RoundPurpose

LAPTOPS = 7
OLD = {"age_band": "70-79", "gender": "woman", "settlement": "rural", "region": "陕西"}
YOUNG = {"age_band": "18-29", "gender": "man", "settlement": "urban", "region": "上海"}
DRAFT = {
    "title": "Village voices",
    "sentences": {"zh": ["今天天气很好，我想去公园散步。"]},
    "scales": ["naturalness", "similarity"],
    "trials": 12,
    "traps": 2,
    "baseline": "zf_xiaoxiao",
}


@dataclass
class FakeFlower:
    """The running coordinator, in memory."""

    is_running: bool = True
    states: dict[bytes, NodeState] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    forgotten: list[bytes] = field(default_factory=list)

    def _must_run(self) -> None:
        if not self.is_running:
            raise FederationError("the laptops cannot be counted: the coordinator's server does not answer")

    def nodes(self):
        self._must_run()
        return dict(self.states)

    def start(self, run: str) -> int:
        self._must_run()
        self.runs.append(run)
        return len(self.runs)

    def forget(self, node_key: bytes) -> None:
        self._must_run()
        self.forgotten.append(node_key)


def populate(federation: Federation, flower: FakeFlower) -> Federation:
    """Give a federation of `LAPTOPS` laptops its history."""
    village = federation.village
    for number in range(LAPTOPS):
        federation.register(number)
    federation.round(1)
    federation.round(2)
    _measure(federation)
    with village.log.writing() as change:
        for envelope in village.log.of_kind("hometone/device/v1"):
            key, device = _node_key(), DeviceEntry.from_envelope(envelope, key=village.log.key).device
            change.execute("INSERT INTO nodes (device, node_key, sealing_key) VALUES (?, ?, ?)", (device, key, bytes(32)))
            flower.states[key] = NodeState(node_key=key, is_online=True, registered="2026-11-30T10:00:00+00:00")
    federation.withdraw(LAPTOPS - 1)
    Panels(village.home).sign(panel_of_draft(DRAFT, made=1_790_000_000))
    return federation


def _measure(federation: Federation) -> None:
    """Balance, evaluation and listening: all but one laptop have somebody old, which is enough to be shown."""
    village = federation.village
    declared = [cells_of(**OLD)] * (LAPTOPS - 1) + [cells_of(**YOUNG)]
    ratings = {Scale.NATURALNESS: 4.2, Scale.SIMILARITY: 3.9}
    measured = {
        RoundPurpose.BALANCE: (len(CELLS), HISTOGRAM_CLIP_NORM, one_hot),
        RoundPurpose.EVALUATION: (
            EVALUATION_DIMENSION,
            EVALUATION_CLIP_NORM,
            lambda cells: evaluation_vector(cells=cells, error_before=0.4, error_after=0.2, similarity=0.8),
        ),
        RoundPurpose.LISTENING: (
            LISTENING_DIMENSION,
            LISTENING_CLIP_NORM,
            lambda cells: listening_vector(cells=cells, condition=Condition.HEADSET, means=ratings),
        ),
    }
    for place, (purpose, (dimension, norm, part)) in enumerate(measured.items()):
        run = f"{0xA0 + place:016x}"
        order = federation.make_order(purpose=purpose, rounds=1, dimension=dimension, clip_norm=norm, noise_multiplier=0.01)
        village.journal.add_campaign(run, order)
        village.runner.run(run, village.exchange(lambda number, part=part: np.asarray(part(declared[number]))))


def _node_key() -> bytes:
    return generate_private_key(SECP384R1()).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
