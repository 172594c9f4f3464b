"""Cohorts of real participants with a real aggregator, driven in one process."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.errors import ProtocolError
from hometone_shared.records.plan import RoundPlan, RoundPurpose
from hometone_shared.secagg.aggregator import Aggregator, Total
from hometone_shared.secagg.participant import Participant, RoundSecrets
from hometone_shared.secagg.refusal import Refusal
from hometone_shared.secagg.roster import device_id
from hometone_shared.updates import NoisyUpdate

HASH = hashlib.sha256(b"anything").hexdigest()
PLAN = RoundPlan(
    run="0123456789abcdef",
    round_number=1,
    attempt=1,
    purpose=RoundPurpose.MODEL,
    base_sha256=HASH,
    basis_sha256=HASH,
    release=0,
    release_sha256=HASH,
    dimension=5,
    clip_norm=1.0,
    noise_multiplier=1.0,
    colluders=0,
    minimum_cohort=2,
    issued=0,
    deadline=1,
    reply_slot_ms=0,
    log_size=0,
    log_root=HASH,
    bundle_sha256=HASH,
)
COORDINATOR = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def signing_key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"device %d" % number).digest())


def identity(number: int) -> str:
    return device_id(signing_key(number).public_key().public_bytes_raw())


@dataclass
class Cohort:
    """Devices 0 to n - 1 in one attempt at one round, with the answers and requests of the stages that were run."""

    devices: int
    dimension: int = 5
    speakers: int = 1
    minimum_cohort: int = 2
    attempt: int = 1
    plan: RoundPlan = field(init=False)
    digest: str = field(init=False)
    directory: dict[str, bytes] = field(init=False)
    here: dict[str, Participant] = field(init=False)
    requests: dict[str, object] = field(default_factory=dict)
    answers: dict[str, dict[str, object]] = field(default_factory=dict)
    tamper: Mapping[str, Callable[[str, dict], dict]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plan = replace(PLAN, dimension=self.dimension, minimum_cohort=self.minimum_cohort, attempt=self.attempt)
        self.digest = self.plan.signed(COORDINATOR).digest
        keys = [signing_key(number) for number in range(self.devices)]
        self.directory = {identity(number): key.public_key().public_bytes_raw() for number, key in enumerate(keys)}
        made = [Participant(plan=self.plan, plan_digest=self.digest, signing_key=key, speakers=self.speakers) for key in keys]
        self.here = {each.device: each for each in made}
        self.everybody = sorted(self.here)
        self.aggregator = Aggregator(plan=self.plan, plan_digest=self.digest, directory=self.directory)

    def update(self, values) -> NoisyUpdate:
        return NoisyUpdate((np.asarray(values, dtype=np.int64) % (1 << 32)).astype(np.uint32), self.digest)

    def _each(self, stage, left, ask, add):
        answers = self.answers.setdefault(stage, {})
        for device in sorted(left):
            answer = ask(self.here[device])
            if stage in self.tamper:
                answer = self.tamper[stage](device, answer)
            answers[device] = answer
            try:
                add(device, answer)
            except ProtocolError:
                left.discard(device)

    def offer(self):
        for participant in list(self.here.values()):
            self.aggregator.add_advertisement(participant.advertise())
        self.requests["roster"] = self.aggregator.close_roster()
        return self.requests["roster"]

    def shares(self, left):
        request = self.requests["roster"]
        self._each("roster", left, lambda each: each.share(request, directory=self.directory), self.aggregator.add_shares)
        self.requests["mask"] = self.aggregator.close_shares()
        return self.requests["mask"]

    def masks(self, left, inputs=None):
        def ask(each):
            each.receive_shares(self.requests["mask"][each.device])
            values = np.zeros(self.dimension) if inputs is None else inputs[each.device]
            return each.mask(self.update(values)).to_bytes()

        self._each("mask", left, ask, self.aggregator.add_masked)
        self.requests["survivors"] = self.aggregator.close_masked()
        return self.requests["survivors"]

    def signatures(self, left):
        request = self.requests["survivors"]
        self._each("survivors", left, lambda each: each.sign(request), self.aggregator.add_signature)
        self.requests["unmask"] = self.aggregator.close_signatures()
        return self.requests["unmask"]

    def unmask(self, left) -> Total:
        request = self.requests["unmask"]
        self._each("unmask", left, lambda each: each.unmask(request), self.aggregator.add_unmasking)
        return self.aggregator.total()

    def run(self, inputs, *, leaving: Mapping[str, str] | None = None) -> Total:
        """The whole round; `leaving` says before which answer a device drops out."""
        leaving = leaving or {}
        self.offer()
        left = set(self.here)
        for stage, step in (
            ("roster", self.shares),
            ("mask", lambda devices: self.masks(devices, inputs)),
            ("survivors", self.signatures),
            ("unmask", self.unmask),
        ):
            left -= {device for device, when in leaving.items() if when == stage}
            total = step(left)
        return total

    def until(self, stage: str) -> "Cohort":
        """Everybody does everything before this stage's answer."""
        self.offer()
        left = set(self.here)
        for name, step in (("roster", self.shares), ("mask", self.masks), ("survivors", self.signatures)):
            if name == stage:
                return self
            step(left)
        return self


@pytest.fixture(scope="session")
def cohort() -> type[Cohort]:
    return Cohort


@pytest.fixture(scope="session")
def key_of() -> Callable[[int], Ed25519PrivateKey]:
    return signing_key


def _refused(participant, code, stage, *args, **named):
    with pytest.raises(Refusal) as caught:
        getattr(participant, stage)(*args, **named)
    assert caught.value.code == code
    assert caught.value.message
    assert isinstance(caught.value, ProtocolError)
    _over(participant)


def _over(participant):
    """Nothing is answered any more, and nothing secret is left."""
    for name, args, named in (
        ("advertise", (), {}),
        ("share", ({},), {"directory": {}}),
        ("receive_shares", ({},), {}),
        ("mask", (None,), {}),
        ("sign", ({},), {}),
        ("unmask", ({},), {}),
    ):
        with pytest.raises(Refusal) as caught:
            getattr(participant, name)(*args, **named)
        assert caught.value.code == "order"
    _forgot(participant)


def _forgot(participant):
    held = [value for name, value in vars(participant).items() if name not in {"_signing_key", "_own", "_roster", "_plan"}]
    assert not any(isinstance(value, RoundSecrets) or (isinstance(value, dict) and value) for value in held)


@pytest.fixture(scope="session")
def refused():
    return _refused


@pytest.fixture(scope="session")
def over():
    return _over


@pytest.fixture(scope="session")
def forgot():
    return _forgot


@pytest.fixture(scope="session")
def mask_requests():
    """Everybody shared; the requests of stage `mask` are out."""

    def make(devices=5):
        round_ = Cohort(devices=devices).until("mask")
        return round_, round_.requests["mask"]

    return make
