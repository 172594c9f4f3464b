"""The loop behind `hometone node`: rounds, one after the other, until somebody says stop.

1. One process of a laptop takes part at a time; it holds a lock.
2. An offer makes a `RoundParticipation`; once its plan is accepted it takes the place of the one before, of which nothing more will come.
   Other requests go to the round in flight.
3. A round whose deadline passes in silence is left. Everything of it is dropped then.
4. At the start, before each offer and every few minutes in between, this laptop does everything that a contact is for
   (`withdrawal.delivery`): whoever has withdrawn is gone before the next round.

What it may see: what its parts may see. What it must never do: answer two rounds at once, or run a coordinator's code.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from filelock import FileLock, Timeout

from hometone_client.base.parameters import base_hash
from hometone_client.federation.acceptance import RequestFacts, Standing
from hometone_client.federation.membership import FOLDER, Membership
from hometone_client.federation.participation import OFFER, Laptop, RoundParticipation, Told
from hometone_client.federation.policy import DevicePolicy
from hometone_client.federation.seen_rounds import SeenRounds
from hometone_client.federation.shared_learning import SharedWorkshop
from hometone_client.federation.shared_releases import SharedReleases
from hometone_client.models.catalogue import BASE, ensure
from hometone_client.sharedmodel.basis import shared_basis
from hometone_client.withdrawal.delivery import Courier
from hometone_keys import Vault
from hometone_shared.errors import FederationError, HometoneError, UsageError
from hometone_shared.messages import Body
from hometone_shared.privacy.accounting import load_accountant
from hometone_shared.records.release import Release

LOCK: Final = "node.lock"
_WATCH_S: Final = 0.5
TEND_S: Final = 300.0
"""Time between two contacts while nothing is asked."""
_LAST_ANSWER_S: Final = 1.0
"""Time for the last answer of a round to leave before the connection is closed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a round ended here.

    Attributes:
        outcome: `finished`, `contributed` (the coordinator said nothing more), `left`, `failed`, or the code of a refusal.
        message: Why; empty if it finished.
    """

    outcome: str
    message: str = ""


class Connection(Protocol):
    """The way to the coordinator (`flower_node.NodeConnection`)."""

    def serve(
        self, handle: Callable[[Body, RequestFacts], Body], *, stop: threading.Event, told: Callable[[str], None] = lambda _: None
    ) -> None:
        """Answer requests until `stop`."""
        ...


class Node:
    """One laptop at one coordinator: at most one round in flight. Its methods may be called from several threads."""

    def __init__(self, laptop: Laptop, standing: Standing) -> None:
        """Begin without a round.

        Args:
            laptop: This laptop.
            standing: What offers are held against.
        """
        self._laptop = laptop
        self._standing = standing
        self._current: RoundParticipation | None = None
        self._ended: list[Ended] = []
        self._lock = threading.Lock()

    @property
    def ended(self) -> tuple[Ended, ...]:
        """Rounds that ended here since the node began, oldest first; refused offers are among them."""
        return tuple(self._ended)

    def handle(self, body: Body, facts: RequestFacts) -> Body:
        """(2) Answer one request.

        Raises:
            Exception: A mistake of ours; the round that it happened in is over.
        """
        with self._lock:
            participation = self._participation(body)
            if participation is None:
                return Body.refusal("order", "no round is in flight on this computer")
            try:
                answer = participation.handle(body, facts)
            except BaseException as error:
                why = error.message if isinstance(error, HometoneError) else f"a mistake of Hometone's own ({type(error).__name__})"
                self._note_end(participation, Ended("failed", why))
                raise
            finally:
                self._replace_by(participation)
            if participation.is_over:
                refused = answer.refused
                self._note_end(participation, Ended(*refused) if refused else Ended(participation.outcome))
            return answer

    def _replace_by(self, participation: RoundParticipation) -> None:
        if participation is self._current or participation.accepted is None:
            return
        if self._current is not None:
            self._note_end(self._current, Ended(self._current.outcome, "the coordinator began another round"))
        self._current = None if participation.is_over else participation

    def expire(self) -> None:
        """(3) Leave the round in flight if its deadline has passed; while a request is being answered, that looks itself."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._current is not None and self._current.expire():
                self._note_end(self._current, Ended(self._current.outcome, "the round did not come to its end in time"))
        finally:
            self._lock.release()

    def tend(self) -> None:
        """(4) One contact with the coordinator, unless a request is being answered: that makes its own. A failure is told, no more."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._standing.catch_up()
        except HometoneError as error:
            self._laptop.told("contact-failed", {"why": error.message})
        finally:
            self._lock.release()

    def close(self) -> None:
        """Leave the round in flight, and drop everything of it."""
        with self._lock:
            if self._current is not None:
                self._current.close()
                self._note_end(self._current, Ended(self._current.outcome, "this computer left the round"))

    def _participation(self, body: Body) -> RoundParticipation | None:
        if body.kind == OFFER:
            return RoundParticipation(self._laptop, self._standing, before=self._current)
        return self._current

    def _note_end(self, participation: RoundParticipation, ended: Ended) -> None:
        self._ended.append(ended)
        if participation is self._current:
            self._current = None


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """(1) Hold the lock of this home's node for a block.

    Raises:
        UsageError: Another process holds it.
    """
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(
            "this computer takes part in rounds already", hint="hometone node runs in another window; one is enough"
        ) from error
    try:
        yield
    finally:
        lock.release()


def joined(home: Path) -> Membership:
    """What this laptop knows of its coordinator.

    Raises:
        UsageError: It has joined none.
    """
    membership = Membership.load(home)
    if membership is None:
        raise UsageError("this computer has not joined a coordinator", hint="ask one for a code, then: hometone join CODE")
    return membership


def node_of(membership: Membership, vault: Vault, *, models: Path, told: Told, progress: Callable[[float], None] = lambda _: None) -> Node:
    """The node of a laptop that has joined; whoever calls holds `only_one`.

    Args:
        membership: The pinned coordinator.
        vault: The open vault.
        models: The model folder.
        told: Told what happens.
        progress: Called with the fraction done of one speaker's training.

    Raises:
        ModelError: The base voice is not here.
        FederationError: Own limits or journal are damaged, or the vault is not the one that joined.
    """
    identity = vault.device
    if membership.entry.signing_key != identity.public_signing_key():
        raise FederationError("this data folder joined the coordinator with other keys", hint="join again with a new invitation")
    log = membership.log()
    releases = SharedReleases(membership.folder, log=log)

    courier = Courier(membership.folder.parent, vault, membership, log=log)

    def catch_up() -> None:
        courier.contact()

    def hold(release: Release) -> None:
        with membership.records() as records:
            releases.fetch(records, number=release.number)

    basis = shared_basis()
    standing = Standing(
        coordinator_key=membership.coordinator_key,
        bundle_sha256=membership.descriptor.bundle_sha256,
        base_sha256=base_hash(ensure(BASE, folder=models)),
        basis_sha256=basis.sha256,
        basis_dimension=basis.dimension,
        policy=DevicePolicy.load(membership.folder),
        seen=SeenRounds(membership.folder),
        log=log,
        catch_up=catch_up,
        hold=hold,
    )
    workshop = SharedWorkshop(models=models, coordinates=releases.coordinates, progress=progress)
    return Node(Laptop(vault=vault, signing_key=identity.signing_key, workshop=workshop, told=told), standing)


def serve_rounds(
    node: Node,
    connection: Connection,
    *,
    stop: threading.Event,
    once: bool = False,
    longest_s: float | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> None:
    """Take part in rounds until `stop`.

    Args:
        node: The node; closed when this ends, however it does.
        connection: The way to the coordinator.
        stop: Ends it.
        once: End by itself when one round has ended.
        longest_s: End by itself after so many seconds, and after the request that is being handled then.
        told: Told about the connection.

    Raises:
        FederationError: The coordinator cannot be reached, or does not let this laptop in.
    """
    over = threading.Event()

    def watch() -> None:
        load_accountant()  # beside the connection, not while the first offer waits for an answer
        ends_s = None if longest_s is None else time.monotonic() + longest_s
        next_contact_s = time.monotonic() + TEND_S
        while not over.wait(_WATCH_S):
            node.expire()
            if time.monotonic() >= next_contact_s:
                node.tend()
                next_contact_s = time.monotonic() + TEND_S
            if once and node.ended:
                over.wait(_LAST_ANSWER_S)
                stop.set()
            if ends_s is not None and time.monotonic() >= ends_s:
                stop.set()

    node.tend()
    watcher = threading.Thread(target=watch, name="deadlines", daemon=True)
    watcher.start()
    try:
        connection.serve(node.handle, stop=stop, told=told)
    finally:
        over.set()
        watcher.join()
        node.close()
