"""Whether this laptop takes part in a plan at all: the checks of docs/protocol.md, section 8, in their order, up to `limits`.

What it may see: what the coordinator sent, this laptop's own records of that coordinator, the clock. What it must never do: look at
anything of a speaker, or go on after a check failed.

Each check has a number in the code; the first that fails is the refusal's code.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hometone_client.federation.contribution import FIXED_DIMENSIONS
from hometone_client.federation.policy import DevicePolicy
from hometone_client.federation.seen_rounds import SeenRounds
from hometone_shared.errors import FederationError, HometoneError, ProtocolError
from hometone_shared.log.checkpoint import Checkpoint
from hometone_shared.records.canonical import Document, Fields
from hometone_shared.records.directory import Directory
from hometone_shared.records.plan import KIND, MOST_AHEAD_S, MOST_BEHIND_S, RoundPlan
from hometone_shared.records.release import Release, ReleaseChain
from hometone_shared.records.signing import Envelope
from hometone_shared.secagg.refusal import Refusal, refusing
from hometone_shared.withdrawal.tombstones import TombstoneBook

SERVER_TASK: Final = "flwr-serverapp"
"""The one kind of run whose messages are answered."""
_EVIDENCE: Final = "take part in nothing until it explains that; then take the files log-evidence-... out of the data folder"
_SET_THE_CLOCK: Final = "let the system set the time by itself"


class RequestFacts(Protocol):
    """What the transport knows about a request beside its content (`flower_node.RunFacts`); nothing of it is signed."""

    @property
    def fab_hash(self) -> str:
        """Hash of the application bundle of the run that asks, hexadecimal."""
        ...

    @property
    def primary_task_type(self) -> str:
        """What kind of run it is."""
        ...

    @property
    def clock_ahead_s(self) -> float:
        """How far this laptop's clock is ahead of the coordinator's."""
        ...


class VerifiedLog(Protocol):
    """The verified copy of the coordinator's log (`log_audit.PinnedLog`)."""

    @property
    def head(self) -> Checkpoint:
        """The pinned head."""
        ...

    def contains(self, envelope: Envelope) -> bool:
        """Whether this very envelope is in it."""
        ...

    def root_at(self, size: int) -> bytes:
        """Its root when it had so many entries."""
        ...

    def directory(self) -> Directory:
        """The devices."""
        ...

    def releases(self) -> ReleaseChain:
        """The releases."""
        ...

    def tombstones(self) -> TombstoneBook:
        """Who was registered, and who has withdrawn what."""
        ...

    def evidence(self) -> list[Path]:
        """Files that prove that the coordinator changed its log."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What this laptop holds an offer against.

    Attributes:
        coordinator_key: The pinned raw Ed25519 key.
        bundle_sha256: The pinned hash of the coordinator's bundle, hexadecimal.
        base_sha256: The base voice that is installed here.
        basis_sha256: The basis of this version.
        basis_dimension: How many coordinates it has.
        policy: The laptop's own limits.
        seen: Plans that were seen.
        log: The verified log.
        catch_up: Moves the verified log to the coordinator's newest head; raises if that does not follow.
        hold: Makes sure that the vector of a release of the log is here, checked against its hash.
        clock: Seconds since 1970.
    """

    coordinator_key: bytes
    bundle_sha256: str
    base_sha256: str
    basis_sha256: str
    basis_dimension: int
    policy: DevicePolicy
    seen: SeenRounds
    log: VerifiedLog
    catch_up: Callable[[], None]
    hold: Callable[[Release], None]
    clock: Callable[[], float] = time.time

    def devices(self, wanted: Mapping[str, object]) -> dict[str, bytes]:
        """Keys of the active devices; the log is asked anew if a wanted one is not known yet, because it may have just joined.

        Raises:
            HometoneError: The log cannot be moved on.
        """
        if not wanted.keys() <= self.log.directory().active.keys():
            self.catch_up()
        return self.log.directory().active


@dataclass(frozen=True, slots=True)
class Accepted:
    """A plan that passed, and its digest."""

    plan: RoundPlan
    digest: str


def accept(request: Document, facts: RequestFacts, standing: Standing) -> Accepted:
    """Check an offer; afterwards it is durably noted as seen.

    Args:
        request: `{"plan": envelope}`.
        facts: What the transport knows.
        standing: What this laptop holds it against.

    Raises:
        Refusal: With the code of the first check that fails.
        StorageError: The disk refuses; the plan must not be answered.
    """
    now_s = standing.clock()
    _check_clock(facts.clock_ahead_s)  # 1
    envelope, plan = _read_plan(request)  # 2
    if envelope.key != standing.coordinator_key:  # 3
        raise Refusal("coordinator", "the plan was signed by another coordinator than the one this computer has joined")
    if not plan.bundle_sha256 == facts.fab_hash == standing.bundle_sha256 or facts.primary_task_type != SERVER_TASK:  # 4
        raise Refusal("bundle", "the coordinator runs another application than the one this computer has joined")
    _check_clock(now_s - plan.issued if plan.issued > now_s else 0.0)  # 1 again, by a time that is signed
    _check_log(envelope, plan, standing)  # 5
    standing.seen.check_new(plan, digest=envelope.digest)  # 6
    standing.seen.record(plan, digest=envelope.digest)
    try:
        _check_content(plan, standing, now_s=now_s)
    except Refusal as refusal:
        standing.seen.note_outcome(envelope.digest, refusal.code)
        raise
    return Accepted(plan, envelope.digest)


def _check_clock(ahead_s: float) -> None:
    if ahead_s > MOST_AHEAD_S:
        raise Refusal("clock", f"this computer's clock is {ahead_s:.0f} s ahead of the coordinator's", hint=_SET_THE_CLOCK)
    if not ahead_s >= -MOST_BEHIND_S:
        raise Refusal("clock", f"this computer's clock is {-ahead_s:.0f} s behind the coordinator's", hint=_SET_THE_CLOCK)


def _read_plan(request: Document) -> tuple[Envelope, RoundPlan]:
    """The plan under whatever key it names; whose that is, is the next check."""
    with refusing("plan-signature"):
        fields = Fields(request)
        envelope = Envelope.from_document(fields.take("plan"))
        fields.done()
        return envelope, RoundPlan.from_document(envelope.verified(KIND, key=envelope.key))


def _check_log(envelope: Envelope, plan: RoundPlan, standing: Standing) -> None:
    try:
        standing.catch_up()
        if standing.log.evidence():
            raise ProtocolError("the coordinator has shown two different logs before", hint=_EVIDENCE)
        if not standing.log.contains(envelope):
            raise ProtocolError("the plan is not in the coordinator's log")
        if standing.log.root_at(plan.log_size).hex() != plan.log_root:
            raise ProtocolError("the plan names another log than the one this computer knows")
    except HometoneError as error:
        raise Refusal("log", error.message, hint=error.hint) from error


def _check_content(plan: RoundPlan, standing: Standing, *, now_s: float) -> None:
    if now_s >= plan.deadline:  # 7
        raise Refusal("expired", "the round has ended already")
    standing.policy.check_purpose(plan)  # 8
    if plan.base_sha256 != standing.base_sha256:  # 9
        raise Refusal("base", "the round is for another base voice than the one on this computer")
    if plan.basis_sha256 != standing.basis_sha256:
        raise Refusal("basis", "the round moves in another basis than that of this version")
    _check_release(plan, standing)
    standing.policy.check_limits(plan, now_s=now_s)  # 10
    fixed = FIXED_DIMENSIONS.get(plan.purpose)
    if plan.dimension > standing.basis_dimension or (fixed is not None and plan.dimension != fixed):
        raise Refusal("limits", "a contribution for this purpose has another number of coordinates")


def _check_release(plan: RoundPlan, standing: Standing) -> None:
    chain = standing.log.releases()
    if plan.release >= len(chain.releases) or chain.digests[plan.release] != plan.release_sha256:
        raise Refusal("release", "the round starts from a release that is not in the coordinator's log")
    for number in plan.releases_needed:
        release = chain.releases[number]
        if (release.base_sha256, release.basis_sha256) != (plan.base_sha256, plan.basis_sha256):
            raise Refusal("release", "the round needs a release of another base voice or basis")
        try:
            standing.hold(release)
        except (ProtocolError, FederationError) as error:
            raise Refusal("release", error.message, hint=error.hint) from error
