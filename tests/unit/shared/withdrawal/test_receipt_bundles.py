"""Receipt bundles: what they prove, what is still pending, and that nothing in them can be exchanged."""

import contextlib
import dataclasses
import json

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.log.checkpoint import Checkpoint
from hometone_shared.log.cosignature import WitnessKey
from hometone_shared.records.canonical import b64
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import FiledReceipt, Pending, PendingItem, Removed, Role, SharedModelTreatment, Treatment
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import NO_COORDINATOR
from hometone_shared.withdrawal.receipt_bundle import LONGEST_BUNDLE, BundledReceipt, ReceiptBundle

STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([77]) * 32)
replace = dataclasses.replace


def test_a_whole_bundle_comes_back_and_holds(withdrawn):
    log, bundle, _, receipts = withdrawn
    assert ReceiptBundle.from_bytes(bundle.to_bytes()) == bundle
    verified = bundle.verified(log.key, [log.witness])
    assert verified == replace(bundle.verified(), witnessed={"witness.example": log.now + 3})
    assert (verified.pseudonym, verified.coordinator_key, verified.log_size) == (log.speaker().pseudonym, log.key, 6)
    assert (verified.received, verified.tombstone.scope) == (log.now + 1, {Purpose.OWN_VOICE})
    assert {(answer.role, answer.filed, answer.at) for answer in verified.answers} == {(role, True, log.now + 2) for role in Role}
    assert {answer.digest for answer in verified.answers} == {receipt.digest for receipt in receipts.values()}
    assert verified.is_complete
    assert verified.pending == ()


def rebuilt(log, bundle, receipts, *, filed=True):
    """The bundle with other receipts."""
    leaves = [log.file(receipt) if filed else None for receipt in receipts]
    return log.bundle(bundle.tombstone, log.leaves[2], list(zip(receipts, leaves, strict=True)))


def test_what_an_answer_says(withdrawn):
    log, bundle, tombstone, _ = withdrawn
    treatment = SharedModelTreatment(treatment=Treatment.BOUND, rounds=2, epsilon=1.0, delta=1e-6)
    item = PendingItem(what=Pending.REPLAY, until=None)
    receipt = log.receipt(
        tombstone, log.coordinator, Role.COORDINATOR, removed={Removed.RECORDS: 1}, pending=(item,), shared_model=treatment
    )
    verified = rebuilt(log, bundle, [receipt]).verified()
    (answer,) = verified.answers
    assert (answer.removed, answer.pending, answer.treatment) == ({Removed.RECORDS: 1}, (item,), treatment)
    assert verified.pending == ((answer, item),)
    assert not verified.is_complete


def test_the_coordinator_waits_for_the_laptop_until_it_has_filed(withdrawn):
    log, bundle, tombstone, receipts = withdrawn
    waiting = log.receipt(tombstone, log.coordinator, Role.COORDINATOR, pending=(PendingItem(what=Pending.LAPTOP, until=log.now + 99),))
    assert not rebuilt(log, bundle, [waiting]).verified().is_complete
    assert not rebuilt(log, bundle, [waiting, receipts[Role.LAPTOP]], filed=False).verified().is_complete
    assert rebuilt(log, bundle, [receipts[Role.LAPTOP], waiting]).verified().is_complete


def test_a_recipient_who_has_answered_settles_one_lent_copy(withdrawn):
    log, bundle, tombstone, receipts = withdrawn
    copies = tuple(PendingItem(what=Pending.LENT_COPIES, until=log.now + day) for day in (5, 9))
    laptop = log.receipt(tombstone, log.laptop, Role.LAPTOP, pending=copies)
    alone = rebuilt(log, bundle, [laptop, receipts[Role.COORDINATOR]]).verified()
    assert [item.until for _, item in alone.pending] == [log.now + 5, log.now + 9]
    one = rebuilt(log, bundle, [laptop, receipts[Role.COORDINATOR], receipts[Role.RECIPIENT]]).verified()
    assert [item.until for _, item in one.pending] == [log.now + 9]
    unfiled = rebuilt(log, bundle, [laptop, receipts[Role.COORDINATOR], receipts[Role.RECIPIENT]], filed=False).verified()
    assert len(unfiled.pending) == 2


def test_devices_that_held_nothing_settle_nothing(withdrawn):
    log, bundle, tombstone, receipts = withdrawn
    waiting = log.receipt(tombstone, log.coordinator, Role.COORDINATOR, pending=(PendingItem(what=Pending.LAPTOP, until=log.now + 99),))
    foreign = log.receipt(tombstone, STRANGER, Role.LAPTOP, holder=None)
    assert [item.what for _, item in rebuilt(log, bundle, [waiting, foreign]).verified().pending] == [Pending.LAPTOP]
    copies = log.receipt(tombstone, log.laptop, Role.LAPTOP, pending=(PendingItem(what=Pending.LENT_COPIES, until=log.now + 9),))
    foreign = log.receipt(tombstone, STRANGER, Role.RECIPIENT, holder=None)
    assert not rebuilt(log, bundle, [waiting, copies, foreign]).verified().is_complete
    assert rebuilt(log, bundle, [waiting, copies, receipts[Role.RECIPIENT]]).verified().is_complete
    hers = FiledReceipt(receipt=receipts[Role.LAPTOP]).content.holder
    with pytest.raises(ProtocolError, match="nothing proves"):
        rebuilt(log, bundle, [waiting, log.receipt(tombstone, STRANGER, Role.LAPTOP, holder=hers)]).verified()


def test_a_laptop_alone_has_to_be_hers(log):
    tombstone = log.tombstone(log.speaker(), coordinator=NO_COORDINATOR)
    receipt = BundledReceipt(receipt=log.receipt(tombstone, log.laptop, Role.LAPTOP, holder=None))
    assert not ReceiptBundle(tombstone=tombstone, receipts=(receipt,)).verified().is_complete


def test_a_replay_that_the_coordinator_has_done_is_waited_for_by_nobody(withdrawn):
    log, bundle, tombstone, _ = withdrawn
    laptop = log.receipt(tombstone, log.laptop, Role.LAPTOP, pending=(PendingItem(what=Pending.REPLAY, until=None),))
    done = SharedModelTreatment(treatment=Treatment.REPLAYED, rounds=2, epsilon=1.0, delta=1e-6, from_release=1, replaced_by=5)
    coordinator = log.receipt(tombstone, log.coordinator, Role.COORDINATOR, shared_model=done)
    assert rebuilt(log, bundle, [laptop, coordinator]).verified().is_complete


def test_the_newest_answer_of_a_holder_counts(withdrawn):
    log, bundle, tombstone, receipts = withdrawn
    item = (PendingItem(what=Pending.REPLAY, until=None),)
    for later, complete in ((log.now + 1, True), (log.now + 2, False), (log.now + 3, False)):
        other = log.receipt(tombstone, log.coordinator, Role.COORDINATOR, pending=item, at=later)
        for order in ([receipts[Role.COORDINATOR], other], [other, receipts[Role.COORDINATOR]]):
            log.leaves = log.leaves[:3]
            assert rebuilt(log, bundle, order).verified().is_complete is complete


def test_not_complete_without_the_coordinator_or_its_log(withdrawn):
    _, bundle, _, _ = withdrawn
    without = replace(bundle, receipts=bundle.receipts[:2])
    assert not without.verified().is_complete
    assert not replace(bundle, withdrawal=None).verified().is_complete
    assert replace(bundle, withdrawal=None).verified().received is None


def test_a_laptop_that_has_joined_no_coordinator(log):
    tombstone = log.tombstone(log.speaker(), coordinator=NO_COORDINATOR)
    receipt = BundledReceipt(receipt=log.receipt(tombstone, log.laptop, Role.LAPTOP))
    bundle = ReceiptBundle(tombstone=tombstone, receipts=(receipt,))
    assert ReceiptBundle.from_bytes(bundle.to_bytes()) == bundle
    verified = bundle.verified()
    assert (verified.is_complete, verified.coordinator_key, verified.log_size, verified.received) == (True, None, None, None)
    assert not ReceiptBundle(tombstone=tombstone).verified().is_complete
    with pytest.raises(ProtocolError, match="whose log"):
        bundle.verified(log.key)
    with pytest.raises(ProtocolError, match="head of the log"):
        bundle.verified(None, [log.witness])
    with pytest.raises(ProtocolError, match="another coordinator"):
        replace(bundle, descriptor=log.descriptor()).verified()
    coordinator = BundledReceipt(receipt=log.receipt(tombstone, log.coordinator, Role.COORDINATOR))
    with pytest.raises(ProtocolError, match="holder that it speaks for"):
        replace(bundle, receipts=(coordinator,)).verified()


def test_a_laptop_that_has_not_reached_its_coordinator(withdrawn):
    log, bundle, _, receipts = withdrawn
    alone = replace(bundle, checkpoint=None, withdrawal=None, receipts=(BundledReceipt(receipt=receipts[Role.LAPTOP]),))
    assert ReceiptBundle.from_bytes(alone.to_bytes()) == alone
    verified = alone.verified(log.key)
    assert (verified.is_complete, verified.log_size, [answer.filed for answer in verified.answers]) == (False, None, [False])
    with pytest.raises(ProtocolError, match="witness could have seen"):
        alone.verified(log.key, [log.witness])
    for part in ("withdrawal", "receipts"):
        with pytest.raises(ProtocolError, match="lacks the head"):
            replace(alone, **{part: getattr(bundle, part)}).verified()
    with pytest.raises(ProtocolError, match="lacks the coordinator"):
        replace(alone, descriptor=None).verified()
    with pytest.raises(ProtocolError, match="lacks the coordinator"):
        replace(bundle, descriptor=None).verified()


def test_another_coordinator_or_no_witness(withdrawn):
    log, bundle, _, _ = withdrawn
    with pytest.raises(ProtocolError, match="another coordinator"):
        bundle.verified(STRANGER.public_key().public_bytes_raw())
    with pytest.raises(ProtocolError, match="no trusted witness"):
        bundle.verified(log.key, [log.witness, WitnessKey("other", log.witness.key)])
    with pytest.raises(ProtocolError, match="no trusted witness"):
        replace(bundle, checkpoint=log.note(cosigned=False)).verified(log.key, [log.witness])


def test_a_log_of_somebody_else_is_no_proof(withdrawn):
    log, bundle, _, _ = withdrawn
    with pytest.raises(ProtocolError, match="another coordinator"):
        replace(bundle, descriptor=log.descriptor(STRANGER)).verified()
    head = Checkpoint.from_note(bundle.checkpoint, origin=bundle.checkpoint.decode().split("\n")[0], key=log.key)
    with pytest.raises(ProtocolError):
        replace(bundle, checkpoint=head.signed(STRANGER)).verified()
    with pytest.raises(ProtocolError):
        replace(bundle, checkpoint=replace(head, root=bytes(32)).signed(log.coordinator)).verified()


def test_leaves_cannot_be_exchanged(withdrawn):
    log, bundle, tombstone, _ = withdrawn
    first, second, _ = bundle.receipts
    with pytest.raises(ProtocolError, match="another receipt"):
        replace(bundle, receipts=(replace(first, filed=second.filed),)).verified()
    with pytest.raises(ProtocolError, match="type"):
        replace(bundle, withdrawal=first.filed).verified()
    with pytest.raises(ProtocolError, match="not in the log"):
        replace(bundle, withdrawal=replace(bundle.withdrawal, index=bundle.withdrawal.index + 1)).verified()
    with pytest.raises(ProtocolError):
        replace(bundle, receipts=(replace(first, filed=replace(first.filed, proof=second.filed.proof)),)).verified()
    with pytest.raises(ProtocolError, match="twice"):
        replace(bundle, receipts=(first, first)).verified()
    other = log.tombstone(log.speaker(), sequence=2)
    leaf = log.withdraw(other)
    exchanged = replace(log.bundle(tombstone, leaf), receipts=())
    with pytest.raises(ProtocolError, match="another tombstone"):
        exchanged.verified()
    unlogged = FiledReceipt(receipt=log.receipt(tombstone, STRANGER, Role.RECIPIENT)).signed(log.coordinator)
    with pytest.raises(ProtocolError, match="not in the log"):
        replace(
            bundle,
            receipts=(
                BundledReceipt(
                    receipt=FiledReceipt.from_envelope(unlogged, key=log.key).receipt, filed=replace(first.filed, leaf=unlogged)
                ),
            ),
        ).verified()


def test_receipts_of_others_do_not_count(withdrawn):
    log, bundle, tombstone, _ = withdrawn
    about_another = log.receipt(log.tombstone(log.speaker(5)), log.laptop, Role.LAPTOP)
    with pytest.raises(ProtocolError, match="about another"):
        replace(bundle, receipts=(BundledReceipt(receipt=about_another),)).verified()
    for key, role in ((log.laptop, Role.COORDINATOR), (log.coordinator, Role.LAPTOP), (log.coordinator, Role.RECIPIENT)):
        with pytest.raises(ProtocolError, match="holder that it speaks for"):
            replace(bundle, receipts=(BundledReceipt(receipt=log.receipt(tombstone, key, role)),)).verified()
    good = log.receipt(tombstone, log.laptop, Role.LAPTOP)
    for forged in (Envelope(good.kind, good.payload, good.key, bytes(64)), Envelope(good.kind, good.payload, log.key, good.signature)):
        with pytest.raises(ProtocolError, match="does not hold"):
            replace(bundle, receipts=(BundledReceipt(receipt=forged),)).verified()
    forged = Envelope(tombstone.kind, tombstone.payload, STRANGER.public_key().public_bytes_raw(), STRANGER.sign(b""))
    with pytest.raises(ProtocolError):
        replace(bundle, tombstone=forged).verified()


def test_any_order_of_receipts_says_the_same(withdrawn):
    _, bundle, _, _ = withdrawn
    turned = replace(bundle, receipts=bundle.receipts[::-1])
    assert turned.verified() == bundle.verified()


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(version=2),
        lambda document: document.update(more=1),
        lambda document: document.update(checkpoint=1),
        lambda document: document.update(receipts={}),
        lambda document: document.update(withdrawal={}),
        lambda document: document.update(descriptor=[]),
        lambda document: document["withdrawal"].update(more=1),
        lambda document: document["withdrawal"].update(index=-1),
        lambda document: document["withdrawal"].update(proof=[b64(bytes(31))]),
        lambda document: document["withdrawal"].update(proof=[b64(bytes(32))] * 65),
        lambda document: document["receipts"][0].update(more=1),
        lambda document: document["receipts"][0].update(leaf=None),
        lambda document: document["receipts"][0].update(index=None, leaf=None),
        lambda document: document["receipts"][0].pop("proof"),
        *(
            lambda document, name=name: document.pop(name)
            for name in ("version", "descriptor", "checkpoint", "tombstone", "withdrawal", "receipts")
        ),
    ],
)
def test_other_documents_are_no_bundles(withdrawn, change):
    document = json.loads(withdrawn[1].to_bytes())
    change(document)
    with pytest.raises(ProtocolError):
        ReceiptBundle.from_bytes(rfc8785.dumps(document))


def test_bytes_that_are_too_many_or_no_text(withdrawn):
    with pytest.raises(ProtocolError, match="too long"):
        ReceiptBundle.from_bytes(b" " * (LONGEST_BUNDLE + 1))
    with pytest.raises(ProtocolError, match="cannot be read"):
        replace(withdrawn[1], checkpoint=b"\xff").to_bytes()


@pytest.fixture(scope="module")
def whole(story):
    """The bytes of a bundle of the story's second speaker, and what they prove."""
    log, leaves_of, _ = story
    otto = log.speaker(2)
    tombstone = log.tombstone(otto)
    receipts = [log.receipt(tombstone, key, role) for key, role in ((log.laptop, Role.LAPTOP), (log.coordinator, Role.COORDINATOR))]
    filed = [(receipt, log.file(receipt)) for receipt in receipts]
    bundle = log.bundle(tombstone, leaves_of[otto][-1], filed)
    return log, bundle.to_bytes(), bundle.verified(log.key, [log.witness])


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_whatever_happens_to_the_bytes_nothing_new_is_proved(whole, data):
    log, good, verified = whole
    at = data.draw(st.integers(0, len(good)))
    with contextlib.suppress(ProtocolError):
        changed = data.draw(
            st.sampled_from(
                [good[:at], good[at:], good[:at] + b"0" + good[at + 1 :], good[:at] + b"A" + good[at:], good[:at] + good[at + 1 :]]
            )
        )
        read = ReceiptBundle.from_bytes(changed).verified(log.key, [log.witness])
        assert changed == good or read == verified


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data):
    with pytest.raises(ProtocolError):
        ReceiptBundle.from_bytes(data)
