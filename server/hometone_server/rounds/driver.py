"""Drives one attempt at a round through the stages of docs/protocol.md, section 5, over any exchange of messages.

1. `offer` goes to every laptop that is there; those that advertise in time make the roster, refusals are counted by their code.
2. `roster`, `mask`, `survivors` and `unmask` follow. Who does not answer in time, or answers what does not check, is gone from that stage
   on; the round goes on as long as more than two thirds of the roster are left.
3. Once enough have answered, the others get a little more time, measured by how long the answers took, instead of the whole limit.

What it may see: documents and masked vectors. What it must never do: decide about privacy (laptops do), or keep a vector after the sum.
"""

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.messages import REFUSAL, Body
from hometone_shared.records.canonical import Document
from hometone_shared.records.plan import RoundPlan
from hometone_shared.records.signing import Envelope
from hometone_shared.secagg.aggregator import Aggregator, Total

PATIENCE, LEAST_PATIENCE_S = 2.0, 1.0


class Exchange(Protocol):
    """Requests to laptops and their answers (Flower, or one process in a simulation)."""

    def nodes(self) -> Iterable[int]:
        """Numbers of the laptops that are there now."""
        ...

    def exchange(
        self, requests: Mapping[int, Body], *, kind: str, timeout_s: float, enough: Callable[[Mapping[int, Body]], bool] | None = None
    ) -> dict[int, Body]:
        """Send one request each; return the answers that came in time, or before `enough` said so."""
        ...


class RefusedError(FederationError):
    """So many laptops refused the plan that too few were left; the same plan again would be refused again."""


@dataclass(slots=True)
class Figures:
    """What is worth knowing about an attempt, without anybody's name.

    Attributes:
        devices: How many laptops answered each stage.
        refusals: How many refused, by code.
        faulty: Answers that did not check.
        seconds: By stage.
        bytes_down: Documents and vectors sent to laptops, all together.
        bytes_up: The same, received.
    """

    devices: dict[str, int] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    faulty: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    bytes_down: int = 0
    bytes_up: int = 0

    def to_record(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "devices": dict(self.devices),
            "refusals": dict(self.refusals),
            "faulty": self.faulty,
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
            "bytes_down": self.bytes_down,
            "bytes_up": self.bytes_up,
        }


Watched = Callable[[str, Figures], None]
"""Called when a stage begins, with its name and the figures so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Limits of waiting, in seconds."""

    prepare_s: float
    stage_s: float


class RoundDriver:
    """One attempt. Make one, call `run` once."""

    def __init__(
        self,
        *,
        plan: RoundPlan,
        envelope: Envelope,
        directory: Mapping[str, bytes],
        exchange: Exchange,
        times: Times,
        watched: Watched = lambda _stage, _figures: None,
    ) -> None:
        """Take what the round needs.

        Args:
            plan: The plan.
            envelope: The same, signed.
            directory: Device id -> Ed25519 public key of the active devices.
            exchange: The way to the laptops.
            times: Limits of waiting.
            watched: Told when a stage begins.
        """
        self._plan = plan
        self._envelope = envelope
        self._aggregator = Aggregator(plan=plan, plan_digest=envelope.digest, directory=directory)
        self._exchange = exchange
        self._times = times
        self._watched = watched
        self._device_of: dict[int, str] = {}
        self.figures = Figures()

    def run(self) -> Total:
        """Go through all stages.

        Raises:
            RefusedError: Too many refused.
        FederationError: Too few laptops were there or stayed; nothing was learnt.
        """
        aggregator = self._aggregator
        offer: Document = {"plan": self._envelope.to_document()}
        answers = self._stage("offer", dict.fromkeys(self._exchange.nodes(), offer), timeout_s=self._times.prepare_s)
        self._take(answers, "offer", self._advertised)
        self._check_refusals()
        roster = aggregator.close_roster()
        answers = self._stage("roster", dict.fromkeys(self._device_of, roster))
        self._take(answers, "roster", lambda node, body: aggregator.add_shares(self._device_of[node], body.document))
        sealed = aggregator.close_shares()
        nodes = {device: node for node, device in self._device_of.items()}
        answers = self._stage("mask", {nodes[device]: request for device, request in sealed.items()})
        self._take(answers, "mask", lambda node, body: aggregator.add_masked(self._device_of[node], body.vector))
        survivors = aggregator.close_masked()
        answers = self._stage("survivors", dict.fromkeys(self._device_of, survivors))
        self._take(answers, "survivors", lambda node, body: aggregator.add_signature(self._device_of[node], body.document))
        signatures = aggregator.close_signatures()
        answers = self._stage("unmask", dict.fromkeys(self._device_of, signatures))
        self._take(answers, "unmask", lambda node, body: aggregator.add_unmasking(self._device_of[node], body.document))
        self._watched("sum", self.figures)
        began = time.monotonic()
        total = aggregator.total()
        self.figures.seconds["sum"] = time.monotonic() - began
        return total

    def _check_refusals(self) -> None:
        refused = sum(self.figures.refusals.values())
        taking_part = self.figures.devices["offer"]
        if refused and taking_part < self._plan.minimum_cohort:
            why = ", ".join(f"{code} ({count})" for code, count in sorted(self.figures.refusals.items()))
            raise RefusedError(
                f"refused by {refused} of {refused + taking_part} laptops: {why}; {self._plan.minimum_cohort} are needed",
                hint="docs/protocol.md, section 8, says what each word means; laptops say more to those who sit before them",
            )

    def _advertised(self, node: int, body: Body) -> None:
        advertisement = body.document.get("advertisement")
        if not isinstance(advertisement, dict):
            raise ProtocolError("an answer to an offer holds no advertisement")
        self._device_of[node] = self._aggregator.add_advertisement(advertisement)

    def _stage(self, kind: str, requests: Mapping[int, Document], *, timeout_s: float | None = None) -> dict[int, Body]:
        self._watched(kind, self.figures)
        began = time.monotonic()
        sizes = {id(document): _size(document) for document in requests.values()}  # most stages send all the same document
        self.figures.bytes_down += sum(sizes[id(document)] for document in requests.values())
        limit_s = timeout_s or self._times.stage_s
        answers = self._exchange.exchange(
            {node: Body(kind=kind, document=document) for node, document in requests.items()},
            kind=kind,
            timeout_s=limit_s,
            enough=None if kind == "offer" else self._enough(len(requests)),
        )
        self.figures.seconds[kind] = time.monotonic() - began
        self.figures.bytes_up += sum(_size(body.document) + len(body.vector) for body in answers.values())
        return answers

    def _enough(self, asked: int) -> Callable[[Mapping[int, Body]], bool]:
        """(3) Whether to stop waiting: everybody answered, or those who are left out had long enough."""
        began = time.monotonic()
        arrived: dict[int, float] = {}

        def enough(answers: Mapping[int, Body]) -> bool:
            now = time.monotonic() - began
            for node in answers.keys() - arrived.keys():
                arrived[node] = now
            if len(arrived) == asked:
                return True
            if 3 * len(arrived) <= 2 * asked:
                return False
            return now > max(LEAST_PATIENCE_S, PATIENCE * statistics.median(arrived.values())) + max(arrived.values())

        return enough

    def _take(self, answers: Mapping[int, Body], kind: str, add: Callable[[int, Body], object]) -> None:
        """(2) Hand the answers over; refusals and faulty ones are gone, and so is who did not answer."""
        taken = 0
        for node, body in sorted(answers.items()):
            if body.kind == REFUSAL or "refusal" in body.document:
                self.figures.refusals[_code(body)] += 1
                continue
            try:
                add(node, body)
                taken += 1
            except ProtocolError:
                self.figures.faulty += 1
                self._device_of.pop(node, None)
        answered = {node for node, body in answers.items() if body.kind != REFUSAL and "refusal" not in body.document}
        for node in [node for node in self._device_of if node not in answered]:
            del self._device_of[node]
        self.figures.devices[kind] = taken


def _size(document: Document) -> int:
    """Bytes of a document as it is sent: no order of its fields changes them, so the quick way will do."""
    return len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())


def _code(body: Body) -> str:
    found = body.document.get("refusal", body.document)
    code = found.get("code") if isinstance(found, dict) else None
    return code if isinstance(code, str) and code.isascii() and len(code) <= 30 else "unknown"


def require_cohort(exchange: Exchange, *, least: int, gather_s: float, poll_s: float = 0.2) -> None:
    """Wait until enough laptops are there.

    Raises:
        FederationError: They do not come in time.
    """
    limit = time.monotonic() + gather_s
    while True:
        present = len(list(exchange.nodes()))
        if present >= least:
            return
        if time.monotonic() >= limit:
            raise FederationError(
                f"{present} laptops are there and {least} are needed",
                hint="ask volunteers to run: hometone node, and order the round again",
            )
        time.sleep(poll_s)
