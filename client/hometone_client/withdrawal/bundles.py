"""Receipt bundles as this laptop can give them: out of its own outbox, or from the coordinator (docs/withdrawal.md, section 7).

What it may see: public records. What it must never do: hand out a bundle that it has not verified.
"""

from pathlib import Path
from typing import Final

from hometone_client.federation.coordinator_records import Transport
from hometone_client.federation.membership import Membership
from hometone_client.withdrawal.acknowledgement import Acknowledged, delivered_tombstone
from hometone_client.withdrawal.outbox import Outbox, OutboxItem
from hometone_client.withdrawal.withdrawing import Stranger, joined_coordinator
from hometone_shared.errors import FederationError, ProtocolError, UsageError
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import NO_COORDINATOR, Tombstone
from hometone_shared.withdrawal.receipt_bundle import LONGEST_BUNDLE, BundledReceipt, ReceiptBundle

SUGGESTED_NAME: Final = "hometone-receipt.json"


def own_bundle(home: Path, tombstone: Tombstone, *, coordinator: Stranger | None = None) -> ReceiptBundle:
    """What this laptop has of one withdrawal.

    Args:
        home: The laptop's `--home`.
        tombstone: Which.
        coordinator: The one that it was made for; the joined one if not given.

    Raises:
        UsageError: Nothing is known of it here.
        ProtocolError: What is kept does not hold any more.
    """
    item = Outbox(home).item(tombstone)
    if item is None:
        raise UsageError("nothing is known here of such a withdrawal", hint="ask the coordinator: hometone receipt fetch --pseudonym ...")
    bundle = _bundle_of(item, descriptor=_descriptor(home, tombstone, coordinator))
    bundle.verified()
    return bundle


def newest_here(home: Path, pseudonym: str) -> Tombstone:
    """The newest tombstone of somebody in the outbox.

    Raises:
        UsageError: There is none.
    """
    items = Outbox(home).items(pseudonym)
    if not items:
        raise UsageError("nothing is known here of such a withdrawal", hint="check the pseudonym; it has 32 digits")
    return max((item.tombstone for item in items), key=lambda tombstone: tombstone.sequence)


def fetched_bundle(coordinator: Stranger, pseudonym: str, *, transport: Transport | None = None) -> ReceiptBundle:
    """The coordinator's bundle, verified: everybody's answers, and where they are in its log.

    Raises:
        FederationError: It cannot be reached, or knows of no withdrawal of that pseudonym.
        ProtocolError: Something in it does not hold.
    """
    with coordinator.records(transport=transport) as records:
        bundle = ReceiptBundle.from_bytes(records.withdrawal(pseudonym))
    if bundle.verified(coordinator_key=coordinator.key).pseudonym != pseudonym:
        raise ProtocolError("the coordinator answers for somebody else")
    return bundle


def best_bundle(
    home: Path, tombstone: Tombstone, *, coordinator: Stranger | None = None, transport: Transport | None = None
) -> ReceiptBundle:
    """The coordinator's bundle if it can be had and is about this tombstone, otherwise this laptop's own."""
    asked = coordinator or joined_coordinator(home)
    own = own_bundle(home, tombstone, coordinator=coordinator)
    if asked is None or tombstone.coordinator == NO_COORDINATOR:
        return own
    try:
        fetched = fetched_bundle(asked, tombstone.pseudonym, transport=transport)
    except FederationError:
        return own
    return fetched if fetched.tombstone == own.tombstone else own


def read_bundle(path: Path) -> ReceiptBundle:
    """A bundle from a file, unverified.

    Raises:
        UsageError: The file cannot be read.
        ProtocolError: It is no bundle.
    """
    try:
        with path.open("rb") as source:
            data = source.read(LONGEST_BUNDLE + 1)
    except OSError as error:
        raise UsageError("the receipt cannot be read", hint="check its name and its permissions") from error
    return ReceiptBundle.from_bytes(data)


def _bundle_of(item: OutboxItem, *, descriptor: Envelope | None) -> ReceiptBundle:
    receipts = () if item.receipt is None else (BundledReceipt(receipt=item.receipt),)
    found: Acknowledged | None = None
    if descriptor is not None and item.delivered is not None and "leaf" in item.delivered:
        found = delivered_tombstone(item.delivered, item.envelope, coordinator_key=descriptor.key)
    if found is None:
        return ReceiptBundle(tombstone=item.envelope, descriptor=descriptor, receipts=receipts)
    if found.receipt is not None:
        receipts = (*receipts, BundledReceipt(receipt=found.receipt))
    return ReceiptBundle(
        tombstone=item.envelope, descriptor=descriptor, checkpoint=found.checkpoint, withdrawal=found.logged, receipts=receipts
    )


def _descriptor(home: Path, tombstone: Tombstone, coordinator: Stranger | None) -> Envelope | None:
    if tombstone.coordinator == NO_COORDINATOR:
        return None
    if coordinator is not None:
        return coordinator.descriptor
    membership = Membership.load(home)
    if membership is None:
        raise UsageError("the coordinator of this withdrawal is not known here", hint="ask it: --at HOST:PORT --fingerprint ...")
    return membership.descriptor_envelope
