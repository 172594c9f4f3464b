"""The coordinator's own receipt: made with the tombstone, and once more whenever something that it waited for has come.

Every receipt is a leaf; the newest counts, and is at least a second younger than the one before, so that everybody sees which that is.
What it may see: the coordinator's signing key, inside a change. What it must never do: stop saying that something waits before it has
come.
"""

import dataclasses
from typing import Final

from hometone_server.records.store import Writing
from hometone_server.records.withdrawals import Answered, WithdrawalTables, add_answer
from hometone_server.withdrawal.history import Exposure
from hometone_shared.errors import UsageError
from hometone_shared.records.device import device_id
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import (
    FiledReceipt,
    HolderReceipt,
    Pending,
    PendingItem,
    Removed,
    Role,
    SharedModelTreatment,
    Treatment,
)
from hometone_shared.records.tombstone import SharedModelWish, Withdrawal

LAPTOP_WITHIN_S: Final = 30 * 86_400
"""After that no lent copy speaks any more, whether its laptop was ever switched on again or not (docs/withdrawal.md, section 5)."""


def first_receipt(withdrawal: Withdrawal, *, removed: int, exposure: Exposure | None) -> HolderReceipt:
    """What the coordinator answers to a tombstone.

    Args:
        withdrawal: As it goes into the log.
        removed: How many rows about her there were.
        exposure: What the rounds while she was known let out at most, or None without rounds.
    """
    treatment = shared_model_treatment(withdrawal, exposure)
    pending = [PendingItem(what=Pending.LAPTOP, until=withdrawal.received + LAPTOP_WITHIN_S)]
    if treatment is not None and treatment.treatment is Treatment.REPLAY_PENDING:
        pending.append(PendingItem(what=Pending.REPLAY, until=None))
    return HolderReceipt(
        tombstone_sha256=withdrawal.tombstone.digest,
        pseudonym=withdrawal.content.pseudonym,
        role=Role.COORDINATOR,
        at=withdrawal.received,
        removed={Removed.RECORDS: removed} if removed else {},
        pending=tuple(pending),
        shared_model=treatment,
    )


def shared_model_treatment(withdrawal: Withdrawal, exposure: Exposure | None) -> SharedModelTreatment | None:
    """What becomes of the shared model; None if the tombstone is not about it."""
    if not withdrawal.content.ends(Purpose.FEDERATED):
        return None
    if exposure is None:
        return SharedModelTreatment(treatment=Treatment.NONE, rounds=0, epsilon=0.0, delta=0.0)
    is_wished = withdrawal.content.shared_model is SharedModelWish.REPLAY and exposure.from_release is not None
    return SharedModelTreatment(
        treatment=Treatment.REPLAY_PENDING if is_wished else Treatment.BOUND,
        rounds=exposure.rounds,
        epsilon=exposure.epsilon,
        delta=exposure.delta,
        from_release=exposure.from_release,
    )


def file_own(change: Writing, receipt: HolderReceipt) -> int:
    """Put a receipt of the coordinator into the log, in the place of the one before.

    Returns:
        Its index.
    """
    envelope = receipt.signed(change.signing_key)
    position = change.append(FiledReceipt(receipt=envelope).signed(change.signing_key))
    add_answer(change, receipt.tombstone_sha256, Answered(device=device_id(envelope.key), role=receipt.role.value, position=position))
    return position


def own_receipt(change: Writing, tombstone: str) -> HolderReceipt:
    """The coordinator's newest receipt about a tombstone.

    Raises:
        UsageError: There is no such tombstone.
    """
    tables = WithdrawalTables(change)
    for answered in tables.answers(tombstone):
        if answered.role == Role.COORDINATOR:
            return FiledReceipt.from_envelope(
                tables.leaf(answered.position), key=change.signing_key.public_key().public_bytes_raw()
            ).content
    raise UsageError("there is no such withdrawal", hint="hometone-coordinator withdrawals lists them")


def set_waiting(change: Writing, tombstone: str, *, what: Pending, waits: bool, at: int, until: int | None = None) -> None:
    """File a new receipt if it changes whether something waits; otherwise nothing happens.

    Args:
        change: The change under way.
        tombstone: Digest of the tombstone.
        what: Of which kind it is.
        waits: Whether it does.
        at: Seconds since 1970.
        until: When it will be over.
    """
    receipt = own_receipt(change, tombstone)
    others = tuple(item for item in receipt.pending if item.what is not what)
    if waits == (len(others) < len(receipt.pending)):
        return
    pending = (*others, PendingItem(what=what, until=until)) if waits else others
    file_own(change, dataclasses.replace(receipt, at=max(at, receipt.at + 1), pending=pending))


def set_replayed(change: Writing, tombstone: str, *, replaced_by: int, at: int) -> None:
    """File the receipt that says that the shared model was repeated without her; once more changes nothing.

    Args:
        change: The change under way.
        tombstone: Digest of the tombstone.
        replaced_by: Number of the release that stands in the place of the withdrawn ones.
        at: Seconds since 1970.

    Raises:
        UsageError: There is no such withdrawal, or it is not about the shared model, or she took part in no round.
    """
    receipt = own_receipt(change, tombstone)
    before = receipt.shared_model
    if before is None or before.from_release is None:
        raise UsageError("this withdrawal asks nothing of the shared model")
    after = dataclasses.replace(before, treatment=Treatment.REPLAYED, replaced_by=replaced_by)
    if after == before:
        return
    pending = tuple(item for item in receipt.pending if item.what is not Pending.REPLAY)
    file_own(change, dataclasses.replace(receipt, at=max(at, receipt.at + 1), pending=pending, shared_model=after))
