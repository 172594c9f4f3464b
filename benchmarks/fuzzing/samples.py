"""Valid records of withdrawal, made by the real makers: a small log, its head with a witness, a bundle; and how each is read."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.cosignature import WitnessKey, cosign, cosigned_at, with_lines_of
from hometone_shared.log.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from hometone_shared.records.canonical import Fields, b64, canonical, checked_b64, parse
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.records.device import device_id
from hometone_shared.records.holding import holder_proof
from hometone_shared.records.lease import Lease, RecipientCard, recipient_proof
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
from hometone_shared.records.registration import RegistrationRequest, SpeakerEntry
from hometone_shared.records.signing import Envelope, sign_payload
from hometone_shared.records.tombstone import SharedModelWish, Tombstone, Withdrawal, coordinator_name
from hometone_shared.records.withdrawn_releases import WithdrawnReleases
from hometone_shared.withdrawal.receipt_bundle import BundledReceipt, LoggedLeaf, ReceiptBundle
from hometone_shared.withdrawal.recovery import RecoverySecret
from hometone_shared.withdrawal.tombstones import TombstoneBook

COORDINATOR, LAPTOP, RECIPIENT, WITNESS = (Ed25519PrivateKey.from_private_bytes(bytes([each]) * 32) for each in range(1, 5))
KEY, LAPTOP_KEY, RECIPIENT_KEY = (each.public_key().public_bytes_raw() for each in (COORDINATOR, LAPTOP, RECIPIENT))
SECRET, SECOND = RecoverySecret(bytes(range(16))), RecoverySecret(bytes(range(16, 32)))
OWNER = SECRET.withdrawal_key()
WITNESSING = WitnessKey("witness.example/w1", WITNESS.public_key().public_bytes_raw())
NOW = 1_790_000_000


@dataclass(frozen=True)
class Target:
    """A parser and what it reads.

    Attributes:
        name: For people.
        valid: Bytes that it takes.
        read: What it makes of bytes.
        allowed: Whether it may take damaged bytes: (original, damaged, what it made of the damaged ones).
        sign: What makes damaged bytes into something signed by the right key.
    """

    name: str
    valid: tuple[bytes, ...]
    read: Callable[[bytes], Any]
    allowed: Callable[[bytes, bytes, Any], bool] = field(default=lambda *_: False)
    sign: Callable[[bytes], bytes] = field(default=bytes)


def tombstone(secret: RecoverySecret = SECRET, **changes: Any) -> Envelope:
    fields = {"coordinator": coordinator_name(KEY), "scope": frozenset({Purpose.OWN_VOICE}), "sequence": 1, "made": NOW, **changes}
    return Tombstone(pseudonym=secret.pseudonym, **fields).signed(secret.withdrawal_key())


def receipt(key: Ed25519PrivateKey, role: Role, **changes: Any) -> Envelope:
    fields = {"at": NOW + 5, "removed": {Removed.RECORDINGS: 3, Removed.VOICES: 1}, "key_destroyed": True, **changes}
    if role is not Role.COORDINATOR:
        fields["holder"] = holder_proof(OWNER, role=role, device=device_id(key.public_key().public_bytes_raw()))
    return HolderReceipt(tombstone_sha256=tombstone().digest, pseudonym=SECRET.pseudonym, role=role, **fields).signed(key)


BOUND = SharedModelTreatment(treatment=Treatment.BOUND, rounds=4, epsilon=1.25, delta=1e-6)
RECEIPTS = (
    receipt(LAPTOP, Role.LAPTOP, pending=(PendingItem(what=Pending.EXPORTS_ELSEWHERE, until=None),)),
    receipt(RECIPIENT, Role.RECIPIENT, removed={Removed.LENT_COPIES: 1}),
    receipt(COORDINATOR, Role.COORDINATOR, shared_model=BOUND, pending=(PendingItem(what=Pending.LAPTOP, until=NOW + 9),)),
)
SIGNERS = (LAPTOP, RECIPIENT, COORDINATOR)
DESCRIPTOR = CoordinatorDescriptor(address="voices.example.org:443", bundle_sha256="ab" * 32, ca_sha256="cd" * 32, name="Village 社区")
WITHDRAWAL = Withdrawal(tombstone=tombstone(), received=NOW + 2).signed(COORDINATOR)
NARROW = tombstone(SECOND, scope=frozenset({Purpose.ARCHIVE, Purpose.FEDERATED}), shared_model=SharedModelWish.REPLAY)
LEAVES = (
    SpeakerEntry(withdrawal_key=OWNER.public_key().public_bytes_raw()).signed(COORDINATOR),
    SpeakerEntry(withdrawal_key=SECOND.withdrawal_key().public_key().public_bytes_raw()).signed(COORDINATOR),
    Withdrawal(tombstone=NARROW, received=NOW).signed(COORDINATOR),
    WITHDRAWAL,
    *(FiledReceipt(receipt=each).signed(COORDINATOR) for each in RECEIPTS),
    WithdrawnReleases(releases=(2, 3), replaced_by=5).signed(COORDINATOR),
)
HASHES = [leaf_hash(leaf.to_bytes()) for leaf in LEAVES]
NODES = nodes_of(HASHES)
HEAD = Checkpoint(origin=log_origin(KEY), size=len(LEAVES), root=root_of(HASHES))
PLAIN_NOTE = HEAD.signed(COORDINATOR)
NOTE = cosign(PLAIN_NOTE, key=WITNESS, name=WITNESSING.name, time_s=NOW)


def logged(place: int) -> LoggedLeaf:
    return LoggedLeaf(leaf=LEAVES[place], index=place, proof=tuple(inclusion_proof(place, len(LEAVES), node=NODES)))


BUNDLE = ReceiptBundle(
    tombstone=tombstone(),
    descriptor=DESCRIPTOR.signed(COORDINATOR),
    checkpoint=NOTE,
    withdrawal=logged(3),
    receipts=tuple(BundledReceipt(receipt=each, filed=logged(4 + place)) for place, each in enumerate(RECEIPTS)),
)
CARD = RecipientCard(coordinator=coordinator_name(KEY), signing_key=RECIPIENT_KEY, sealing_key=bytes(range(32)), label="Sunrise home 晨光")
LEASE = Lease(
    pseudonym=SECRET.pseudonym, coordinator=coordinator_name(KEY), recipient=device_id(RECIPIENT_KEY), lease="5a" * 16, label="Anna",
    issued=NOW, ends=NOW + 86_400, voice_sha256="ef" * 32, holder=recipient_proof(OWNER, device_id(RECIPIENT_KEY)),
)  # fmt: skip
REQUEST = RegistrationRequest.make(coordinator_key=KEY, secret=SECRET, device_key=LAPTOP)


def _proof_document(**fields: Any) -> bytes:
    return canonical({name: [b64(part) for part in value] if isinstance(value, list) else value for name, value in fields.items()})


def _read_proof(data: bytes, *, consistency: bool) -> bool:
    fields = Fields(parse(data))
    proof = [checked_b64(part, name="proof") for part in fields.items("proof", most=1000)]
    index, value = fields.integer("index", low=-(2**50), high=2**50), fields.sized_blob("hash", longest=1000)
    fields.done()
    if consistency:
        verify_consistency(proof, first=index, first_root=value, second=HEAD.size, second_root=HEAD.root)
    else:
        verify_inclusion(proof, leaf=value, index=index, size=HEAD.size, root=HEAD.root)
    return True


def _book(data: bytes) -> TombstoneBook:
    entries = Fields(parse(data)).items("entries", most=1000)
    return TombstoneBook.from_entries([Envelope.from_document(each) for each in entries], KEY)


WHOLE_BOOK = TombstoneBook.from_entries(LEAVES, KEY)


def _ends_nothing_else(_: bytes, __: bytes, book: TombstoneBook) -> bool:
    """A log with leaves left out or exchanged ends no purpose that its owner did not end, and withdraws no release of its own."""
    ended = {(who, what) for who, history in book.speakers.items() for what in history.ended}
    return book.replacements.items() <= WHOLE_BOOK.replacements.items() and all(WHOLE_BOOK.has_ended(*each) for each in ended)


def _signed_payload(kind: str, key: Ed25519PrivateKey) -> Callable[[bytes], bytes]:
    def sign(payload: bytes) -> bytes:
        return Envelope(kind, payload, key.public_key().public_bytes_raw(), sign_payload(kind, payload, key)).to_bytes()

    return sign


def _writes_itself(_: bytes, damaged: bytes, record: Any) -> bool:
    """A document with the right signature may say something else, but only what it says when it is written again."""
    return bool(canonical(record.to_document()) == json_payload(damaged))


def json_payload(envelope: bytes) -> bytes:
    return base64.b64decode(json.loads(envelope)["payload"])


def _same(original: bytes, _: bytes, understood: Any) -> bool:
    return bool(understood == READ_NOTES[original])


def _note(data: bytes) -> tuple[Checkpoint, int]:
    return Checkpoint.from_note(data, origin=HEAD.origin, key=KEY), cosigned_at(data, WITNESSING)


READ_NOTES = {NOTE: _note(NOTE), PLAIN_NOTE: HEAD}


def _record_targets() -> list[Target]:
    by_coordinator: list[tuple[Any, Envelope]] = [
        (SpeakerEntry, LEAVES[0]), (Withdrawal, WITHDRAWAL), (FiledReceipt, LEAVES[4]), (WithdrawnReleases, LEAVES[7]),
    ]  # fmt: skip
    readers: list[tuple[Any, Envelope, Ed25519PrivateKey, Callable[[Envelope], Any]]] = [
        *((kind, sample, COORDINATOR, partial(kind.from_envelope, key=KEY)) for kind, sample in by_coordinator),
        (RegistrationRequest, REQUEST, LAPTOP, partial(RegistrationRequest.from_envelope, coordinator_key=KEY)),
        (Tombstone, tombstone(), OWNER, Tombstone.from_envelope),
        *((HolderReceipt, sample, key, HolderReceipt.from_envelope) for sample, key in zip(RECEIPTS, SIGNERS, strict=True)),
        (RecipientCard, CARD.signed(RECIPIENT), RECIPIENT, RecipientCard.from_envelope),
        (Lease, LEASE.signed(OWNER), OWNER, Lease.from_envelope),
    ]  # fmt: skip
    targets = []
    for kind, sample, key, read in readers:

        def whole(data: bytes, read: Callable[[Envelope], Any] = read) -> Any:
            return read(Envelope.from_bytes(data))

        targets.append(Target(kind.__name__, (sample.to_bytes(),), whole))
        targets.append(
            Target(f"{kind.__name__}, signed again", (sample.payload,), whole, _writes_itself, _signed_payload(sample.kind, key)),
        )
    return targets


def _bundle_holds(_: bytes, __: bytes, read: Any) -> bool:
    """Of a damaged bundle, what is taken is a part of what the whole one says: receipts may be missing, or be there without their leaf."""
    whole = BUNDLE.verified(KEY, [WITNESSING])
    known = {answer.digest for answer in whole.answers}
    return bool(
        read.tombstone == whole.tombstone
        and read.log_size == whole.log_size
        and read.received in {whole.received, None}
        and {answer.digest for answer in read.answers} <= known
    )


def _proofs(*, consistency: bool) -> Target:
    """Every proof of the small log; `hash` is the leaf, or the earlier root."""
    made = []
    for at in range(int(consistency), HEAD.size):
        proof = (consistency_proof if consistency else inclusion_proof)(at, HEAD.size, node=NODES)
        made.append(_proof_document(proof=proof, index=at, hash=b64(root_of(HASHES[:at]) if consistency else HASHES[at])))
    return Target(f"{'consistency' if consistency else 'inclusion'} proof", tuple(made), partial(_read_proof, consistency=consistency))


def _recovery(name: str, *valid: str) -> Target:
    """What is typed may be another secret: the words have four bits of checksum, the code finds all but one in 1021 of larger mistakes."""
    return Target(
        name,
        tuple(each.encode() for each in valid),
        lambda data: RecoverySecret.from_text(data.decode("utf-8", "replace")),
        lambda _, __, read: RecoverySecret.from_text(read.code()) == RecoverySecret.from_text(read.words("zh")) == read,
    )


def _other_targets() -> Iterator[Target]:
    rewritten = {"allowed": lambda _, damaged, read: read.to_bytes() == damaged}
    yield Target("Envelope", (tombstone().to_bytes(), REQUEST.to_bytes()), Envelope.from_bytes, **rewritten)
    yield Target("ReceiptBundle, not verified", (BUNDLE.to_bytes(),), ReceiptBundle.from_bytes, **rewritten)
    yield Target(
        "ReceiptBundle", (BUNDLE.to_bytes(),), lambda data: ReceiptBundle.from_bytes(data).verified(KEY, [WITNESSING]), _bundle_holds
    )
    yield Target("TombstoneBook", (canonical({"entries": [leaf.to_document() for leaf in LEAVES]}),), _book, _ends_nothing_else)
    yield Target("Checkpoint", (PLAIN_NOTE,), lambda data: Checkpoint.from_note(data, origin=HEAD.origin, key=KEY), _same)
    yield Target("cosignature", (NOTE,), _note, _same)
    yield Target("cosignature, merged", (NOTE,), lambda data: _note(with_lines_of(PLAIN_NOTE, data)), _same)
    yield Target("WitnessKey", (WITNESSING.text().encode(),), lambda data: WitnessKey.parse(data.decode("latin-1")))
    yield _proofs(consistency=False)
    yield _proofs(consistency=True)
    yield _recovery("recovery code", SECRET.code())
    yield _recovery("recovery words", SECRET.words("en"), SECRET.words("zh"))


TARGETS: tuple[Target, ...] = (*_record_targets(), *_other_targets())
