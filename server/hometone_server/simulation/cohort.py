"""Virtual laptops that run the real protocol, and the exchange that carries their messages without a network.

Every laptop has its own keys, secrets, shares and exact noise; what is left out is the network, the vault and the training: its update is a
random direction of full norm plus one that all have in common. Messages are whole bodies with canonical documents, and are counted.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError
from hometone_shared.messages import Body
from hometone_shared.privacy.clipping import encode
from hometone_shared.privacy.noise import Sampler, add_noise, discrete_gaussian
from hometone_shared.records.plan import RoundPlan
from hometone_shared.records.signing import Envelope
from hometone_shared.secagg.participant import Participant
from hometone_shared.secagg.roster import device_id


@dataclass(slots=True)
class VirtualLaptop:
    """One laptop with one speaker.

    Attributes:
        signing_key: Its identity.
        leaves_at: The stage whose request it does not answer any more, or nothing.
        noisy: What it added to the sum, uint32 [d], kept for checking the simulation.
        noise: Draws its noise for a plan: exactly, from the operating system; only tests of exact replay give another.
    """

    signing_key: Ed25519PrivateKey
    leaves_at: str = ""
    noisy: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    noise: "Callable[[RoundPlan], Sampler]" = lambda _plan: discrete_gaussian
    _round: "tuple[Participant, RoundPlan, str] | None" = None

    @property
    def device(self) -> str:
        """Its id."""
        return device_id(self.signing_key.public_key().public_bytes_raw())

    @property
    def plan(self) -> RoundPlan:
        """The plan that it was offered last.

        Raises:
            ProtocolError: It was offered none.
        """
        if self._round is None:
            raise ProtocolError("a virtual laptop was not offered this round")
        return self._round[1]

    def answer(
        self, body: Body, *, coordinator_key: bytes, directory: Mapping[str, bytes], contribution: NDArray[np.float64]
    ) -> Body | None:
        """Answer one request, or leave."""
        if body.kind == self.leaves_at:
            return None
        if body.kind == "offer":
            envelope = Envelope.from_document(body.document["plan"])
            plan = RoundPlan.from_envelope(envelope, key=coordinator_key)
            participant = Participant(plan=plan, plan_digest=envelope.digest, signing_key=self.signing_key, speakers=1)
            self._round = (participant, plan, envelope.digest)
            return Body("offer", {"advertisement": participant.advertise()})
        if self._round is None:
            raise ProtocolError("a virtual laptop was not offered this round")
        participant, plan, digest = self._round
        if body.kind == "roster":
            return Body("roster", participant.share(body.document, directory=directory))
        if body.kind == "mask":
            participant.receive_shares(body.document)
            clipped = encode(contribution, clip_norm=plan.clip_norm)
            variance = plan.noise_variance(len(participant.roster.devices))
            noisy = add_noise(clipped, variance=variance, plan_digest=digest, sampler=self.noise(plan))
            self.noisy = noisy.residues
            return Body("mask", {}, participant.mask(noisy).to_bytes())
        if body.kind == "survivors":
            return Body("survivors", participant.sign(body.document))
        return Body("unmask", participant.unmask(body.document))


class VirtualExchange:
    """Carries requests to virtual laptops and their answers back, counting bytes."""

    def __init__(
        self,
        laptops: Iterable[VirtualLaptop],
        *,
        coordinator_key: bytes,
        contribution: Callable[[int], NDArray[np.float64]],
        told: Callable[[str, int, int], None] = lambda _kind, _done, _all: None,
    ) -> None:
        """Take the laptops.

        Args:
            laptops: All of them.
            coordinator_key: Raw Ed25519 public key that signs plans.
            contribution: Number of a laptop -> its update, float64 [d].
            told: Called with the stage, and how many of all have answered.
        """
        self._laptops = dict(enumerate(laptops))
        self._coordinator_key = coordinator_key
        self._contribution = contribution
        self._told = told
        self._directory = {each.device: each.signing_key.public_key().public_bytes_raw() for each in self._laptops.values()}

    @property
    def directory(self) -> dict[str, bytes]:
        """Device id -> raw Ed25519 public key."""
        return dict(self._directory)

    def nodes(self) -> Iterable[int]:
        """All laptops."""
        return self._laptops.keys()

    def exchange(
        self, requests: Mapping[int, Body], *, kind: str, timeout_s: float, enough: Callable[[Mapping[int, Body]], bool] | None = None
    ) -> dict[int, Body]:
        """Let every laptop answer in turn; nobody has to be waited for."""
        del timeout_s, enough
        answers: dict[int, Body] = {}
        for done, (number, body) in enumerate(requests.items(), start=1):
            laptop = self._laptops[number]
            contribution = self._contribution(number) if kind == "mask" else np.zeros(0)
            answer = laptop.answer(body, coordinator_key=self._coordinator_key, directory=self._directory, contribution=contribution)
            if answer is not None:
                answers[number] = answer
            self._told(kind, done, len(requests))
        return answers


def virtual_laptops(count: int, *, dropouts: int) -> list[VirtualLaptop]:
    """Laptops with fresh keys; so many of them leave, one after the other at one of the stages from `roster` to `unmask`."""
    laptops = [VirtualLaptop(Ed25519PrivateKey.generate()) for _ in range(count)]
    for number, laptop in enumerate(secrets.SystemRandom().sample(laptops, dropouts)):
        laptop.leaves_at = ("roster", "mask", "survivors", "unmask")[number % 4]
    return laptops
