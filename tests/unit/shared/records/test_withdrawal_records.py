"""Records of withdrawal: they come back, every change is noticed, limits hold, nobody signs for somebody else."""

import contextlib
import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.records import lease, receipt, registration, tombstone, withdrawn_releases
from hometone_shared.records.canonical import b64
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
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import NO_COORDINATOR, SharedModelWish, Tombstone, Withdrawal, coordinator_name
from hometone_shared.records.withdrawn_releases import WithdrawnReleases
from hometone_shared.withdrawal.recovery import RecoverySecret

COORDINATOR, LAPTOP, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([value]) * 32) for value in (1, 2, 3))
KEY, LAPTOP_KEY, OTHER_KEY = (key.public_key().public_bytes_raw() for key in (COORDINATOR, LAPTOP, OTHER))
SECRET = RecoverySecret(bytes(range(16)))
OWNER = SECRET.withdrawal_key()
OWNER_KEY = OWNER.public_key().public_bytes_raw()
NOW = 1_790_000_000
STONE = Tombstone(
    pseudonym=SECRET.pseudonym,
    coordinator=coordinator_name(KEY),
    scope=frozenset({Purpose.FEDERATED, Purpose.ARCHIVE}),
    sequence=1,
    made=NOW,
)
TREATED = SharedModelTreatment(treatment=Treatment.REPLAYED, rounds=3, epsilon=2.5, delta=1e-6, from_release=0, replaced_by=9)
RECEIPT = HolderReceipt(
    tombstone_sha256=STONE.signed(OWNER).digest,
    pseudonym=SECRET.pseudonym,
    role=Role.LAPTOP,
    at=NOW,
    removed={Removed.RECORDINGS: 3, Removed.FILES: 0},
    pending=(PendingItem(what=Pending.LENT_COPIES, until=NOW), PendingItem(what=Pending.EXPORTS_ELSEWHERE, until=None)),
    key_destroyed=True,
    shared_model=TREATED,
    holder=holder_proof(OWNER, role=Role.LAPTOP, device=device_id(LAPTOP_KEY)),
)
ENTRY = SpeakerEntry(withdrawal_key=OWNER_KEY)
RELEASES = WithdrawnReleases(releases=(2, 3), replaced_by=7)
CARD = RecipientCard(coordinator=NO_COORDINATOR, signing_key=LAPTOP_KEY, sealing_key=bytes(32), label="Sunrise home")
LEASE = Lease(
    pseudonym=SECRET.pseudonym,
    coordinator=NO_COORDINATOR,
    recipient=CARD.device,
    lease="5a" * 16,
    label="Anna 安娜",
    issued=NOW,
    ends=NOW + 1,
    voice_sha256="ab" * 32,
    holder=recipient_proof(OWNER, CARD.device),
)
WITHDRAWAL = Withdrawal(tombstone=STONE.signed(OWNER), received=NOW)
FILED = FiledReceipt(receipt=RECEIPT.signed(LAPTOP))
OF_THE_COORDINATOR = [ENTRY, WITHDRAWAL, FILED, RELEASES]
OF_HOLDERS = [(STONE, OWNER), (RECEIPT, LAPTOP), (CARD, LAPTOP), (LEASE, OWNER)]


def name_of(value):
    return type(value[0] if isinstance(value, tuple) else value).__name__


@pytest.mark.parametrize("record", OF_THE_COORDINATOR, ids=name_of)
def test_leaves_come_back_and_are_the_coordinators(record):
    envelope = record.signed(COORDINATOR)
    assert type(record).from_envelope(Envelope.from_bytes(envelope.to_bytes()), key=KEY) == record
    with pytest.raises(ProtocolError, match="another key"):
        type(record).from_envelope(envelope, key=OTHER_KEY)
    forged = Envelope(envelope.kind, envelope.payload, KEY, bytes(64))
    with pytest.raises(ProtocolError, match="does not hold"):
        type(record).from_envelope(forged, key=KEY)
    with pytest.raises(ProtocolError, match="type"):
        type(record).from_envelope(Envelope.sign("hometone/other/v1", record.to_document(), COORDINATOR), key=KEY)


@pytest.mark.parametrize(("record", "key"), OF_HOLDERS, ids=name_of)
def test_what_holders_sign_comes_back(record, key):
    envelope = record.signed(key)
    assert type(record).from_envelope(Envelope.from_bytes(envelope.to_bytes())) == record
    for forged in (
        Envelope(envelope.kind, envelope.payload, OTHER_KEY, envelope.signature),
        Envelope(envelope.kind, envelope.payload, envelope.key, bytes(64)),
        Envelope.sign("hometone/other/v1", record.to_document(), key),
    ):
        with pytest.raises(ProtocolError):
            type(record).from_envelope(forged)


@pytest.mark.parametrize(("record", "by_owner"), [(STONE, True), (LEASE, True), (CARD, False)], ids=name_of)
def test_nobody_signs_for_somebody_else(record, by_owner):
    with pytest.raises(ProtocolError, match="alone"):
        record.signed(OTHER)
    kind = {Tombstone: tombstone.KIND, Lease: lease.KIND, RecipientCard: lease.CARD_KIND}[type(record)]
    with pytest.raises(ProtocolError, match="owner" if by_owner else "another key"):
        type(record).from_envelope(Envelope.sign(kind, record.to_document(), OTHER))


SIGNED = [*((type(record), record.signed(COORDINATOR), {"key": KEY}) for record in OF_THE_COORDINATOR)]
SIGNED += [(type(record), record.signed(key), {}) for record, key in OF_HOLDERS]
SIGNED += [(RegistrationRequest, RegistrationRequest.make(coordinator_key=KEY, secret=SECRET, device_key=LAPTOP), {"coordinator_key": KEY})]


@pytest.mark.parametrize(("kind", "envelope", "under"), SIGNED, ids=[kind.__name__ for kind, _, _ in SIGNED])
@given(data=st.data())
def test_no_byte_can_be_changed_or_left_out(kind, envelope, under, data):
    good = envelope.to_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != good[at]))
    changed = data.draw(
        st.sampled_from([good[:at], good[at + 1 :], good[:at] + bytes([other]) + good[at + 1 :], good[:at] + good[at + 1 :]])
    )
    with pytest.raises(ProtocolError):
        kind.from_envelope(Envelope.from_bytes(changed), **under)


def kind_of(record):
    return {
        SpeakerEntry: registration.KIND,
        Withdrawal: tombstone.WITHDRAWAL_KIND,
        FiledReceipt: receipt.FILED_KIND,
        WithdrawnReleases: withdrawn_releases.KIND,
        Tombstone: tombstone.KIND,
        HolderReceipt: receipt.KIND,
        RecipientCard: lease.CARD_KIND,
        Lease: lease.KIND,
    }[type(record)]


def read(record, document):
    for_coordinator = type(record) in {type(each) for each in OF_THE_COORDINATOR}
    key = COORDINATOR if for_coordinator else next(key for each, key in OF_HOLDERS if type(each) is type(record))
    envelope = Envelope.sign(kind_of(record), document, key)
    return type(record).from_envelope(envelope, **({"key": KEY} if for_coordinator else {}))


ALL = [*OF_THE_COORDINATOR, *(record for record, _ in OF_HOLDERS)]
strange = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.floats(), st.text(max_size=80), st.lists(st.text(max_size=3)),
    st.dictionaries(st.text(max_size=12), st.integers(0, 9)),
)  # fmt: skip


@pytest.mark.parametrize("record", ALL, ids=name_of)
def test_a_field_less_or_more_is_refused(record):
    document = record.to_document()
    assert read(record, document) == record
    for name in document:
        with pytest.raises(ProtocolError, match="lacks"):
            read(record, {key: value for key, value in document.items() if key != name})
    with pytest.raises(ProtocolError, match="do not belong"):
        read(record, {**document, "more": 1})


@pytest.mark.parametrize("record", ALL, ids=name_of)
@given(data=st.data())
def test_any_value_is_read_or_refused(record, data):
    name = data.draw(st.sampled_from(sorted(record.to_document())))
    document = {**record.to_document(), name: data.draw(strange)}
    with contextlib.suppress(ProtocolError):
        assert read(record, document).to_document() == document


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (STONE, {"scope": []}),
        (STONE, {"scope": ["own-voice", "archive"]}),
        (STONE, {"scope": ["archive", "archive"]}),
        (STONE, {"scope": ["everything"]}),
        (STONE, {"scope": [["archive"]]}),
        (STONE, {"sequence": 0}),
        (STONE, {"made": -1}),
        (STONE, {"shared_model": "forget"}),
        (STONE, {"pseudonym": "AB" * 16}),
        (STONE, {"coordinator": "0"}),
        (ENTRY, {"pseudonym": "0" * 32}),
        (WITHDRAWAL, {"received": -1}),
        (WITHDRAWAL, {"tombstone": RECEIPT.signed(LAPTOP).to_document()}),
        (FILED, {"receipt": STONE.signed(OWNER).to_document()}),
        (RELEASES, {"releases": []}),
        (RELEASES, {"releases": [0, 1]}),
        (RELEASES, {"releases": [True]}),
        (RELEASES, {"releases": ["1"]}),
        (RELEASES, {"releases": [3, 2]}),
        (RELEASES, {"releases": [2, 2]}),
        (RELEASES, {"releases": [2, 7]}),
        (RECEIPT, {"removed": {"secrets": 1}}),
        (RECEIPT, {"removed": {"files": -1}}),
        (RECEIPT, {"removed": {"files": True}}),
        (RECEIPT, {"removed": []}),
        (RECEIPT, {"role": "friend"}),
        (RECEIPT, {"role": ["laptop"]}),
        (RECEIPT, {"pending": [{"what": "laptop"}]}),
        (RECEIPT, {"pending": [{"what": "nothing", "until": None}]}),
        (RECEIPT, {"pending": [{"what": "laptop", "until": -1}]}),
        (RECEIPT, {"pending": [{"what": "laptop", "until": 1, "more": 1}]}),
        (RECEIPT, {"pending": ["laptop"]}),
        (RECEIPT, {"key_destroyed": 1}),
        (RECEIPT, {"shared_model": {}}),
        (RECEIPT, {"shared_model": {**TREATED.to_document(), "epsilon": -1}}),
        (RECEIPT, {"shared_model": {**TREATED.to_document(), "epsilon": True}}),
        (RECEIPT, {"shared_model": {**TREATED.to_document(), "delta": 1.5}}),
        (RECEIPT, {"shared_model": {**TREATED.to_document(), "delta": "0"}}),
        (RECEIPT, {"shared_model": {**TREATED.to_document(), "replaced_by": None}}),
        (RECEIPT, {"shared_model": {**TREATED.to_document(), "treatment": "bound"}}),
        (RECEIPT, {"shared_model": {**TREATED.to_document(), "treatment": "none", "replaced_by": None}}),
        (CARD, {"label": " "}),
        (CARD, {"label": "a\nb"}),
        (CARD, {"label": "x" * 101}),
        (CARD, {"sealing_key": b64(bytes(31))}),
        (LEASE, {"purpose": "own-voice"}),
        (LEASE, {"lease_days": 31}),
        (LEASE, {"lease_days": 0}),
        (LEASE, {"ends": NOW}),
        (LEASE, {"label": ""}),
        (LEASE, {"recipient": ""}),
        (LEASE, {"lease": "x" * 32}),
    ],
)
def test_values_outside_the_limits_are_refused(record, changes):
    with pytest.raises(ProtocolError):
        read(record, {**record.to_document(), **changes})


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (STONE, {"scope": frozenset()}),
        (STONE, {"sequence": 0}),
        (RELEASES, {"replaced_by": 3}),
        (RECEIPT, {"at": -1}),
        (TREATED, {"epsilon": float("nan")}),
        (TREATED, {"epsilon": float("inf")}),
        (LEASE, {"lease_days": 31}),
        (CARD, {"label": ""}),
        (ENTRY, {"withdrawal_key": bytes(31)}),
    ],
    ids=name_of,
)
def test_they_cannot_even_be_made(record, changes):
    with pytest.raises(ProtocolError):
        dataclasses.replace(record, **changes)


def test_a_tombstone_of_the_voice_ends_everything():
    whole = dataclasses.replace(STONE, scope=frozenset({Purpose.OWN_VOICE, Purpose.ARCHIVE}), shared_model=SharedModelWish.REPLAY)
    assert all(whole.ends(purpose) for purpose in Purpose)
    assert {purpose for purpose in Purpose if STONE.ends(purpose)} == {Purpose.FEDERATED, Purpose.ARCHIVE}


def test_a_tombstone_belongs_into_one_log():
    with pytest.raises(ProtocolError, match="another coordinator"):
        WITHDRAWAL.signed(OTHER)
    elsewhere = Envelope.sign(tombstone.WITHDRAWAL_KIND, WITHDRAWAL.to_document(), OTHER)
    with pytest.raises(ProtocolError, match="another coordinator"):
        Withdrawal.from_envelope(elsewhere, key=OTHER_KEY)
    nowhere = dataclasses.replace(STONE, coordinator=NO_COORDINATOR).signed(OWNER)
    with pytest.raises(ProtocolError, match="another coordinator"):
        Withdrawal(tombstone=nowhere, received=NOW).signed(COORDINATOR)


def test_a_receipt_is_about_one_tombstone():
    RECEIPT.check_about(STONE.signed(OWNER))
    with pytest.raises(ProtocolError, match="about another"):
        RECEIPT.check_about(dataclasses.replace(STONE, sequence=2).signed(OWNER))
    with pytest.raises(ProtocolError, match="about another"):
        dataclasses.replace(RECEIPT, pseudonym="0" * 32).check_about(STONE.signed(OWNER))
    with pytest.raises(TypeError):
        RECEIPT.removed[Removed.FILES] = 1
    assert hash(RECEIPT) == hash(HolderReceipt.from_envelope(RECEIPT.signed(LAPTOP)))
    assert FILED.device == CARD.device


def request(**changes):
    return RegistrationRequest.make(**{"coordinator_key": KEY, "secret": SECRET, "device_key": LAPTOP, **changes})


def test_a_registration_comes_back():
    read_again = RegistrationRequest.from_envelope(Envelope.from_bytes(request().to_bytes()), coordinator_key=KEY)
    assert (read_again.pseudonym, read_again.entry(), read_again.withdrawal_key) == (SECRET.pseudonym, ENTRY, OWNER_KEY)


def test_a_registration_is_for_one_coordinator_and_one_laptop():
    with pytest.raises(ProtocolError, match="another coordinator"):
        RegistrationRequest.from_envelope(request(coordinator_key=OTHER_KEY), coordinator_key=KEY)
    document = RegistrationRequest.from_envelope(request(), coordinator_key=KEY).to_document()
    stolen = Envelope.sign(registration.REQUEST_KIND, document, OTHER)
    with pytest.raises(ProtocolError, match="does not hold her key"):
        RegistrationRequest.from_envelope(stolen, coordinator_key=KEY)
    for name, value in (("withdrawal_key", OTHER_KEY), ("possession", bytes(64)), ("withdrawal_key", b"\xff" * 32)):
        forged = Envelope.sign(registration.REQUEST_KIND, {**document, name: b64(value)}, LAPTOP)
        with pytest.raises(ProtocolError, match="does not hold her key"):
            RegistrationRequest.from_envelope(forged, coordinator_key=KEY)
    for name in document:
        with pytest.raises(ProtocolError):
            RegistrationRequest.from_envelope(
                Envelope.sign(registration.REQUEST_KIND, {**document, name: b64(bytes(3))}, LAPTOP), coordinator_key=KEY
            )
    with pytest.raises(ProtocolError):
        RegistrationRequest.from_envelope(Envelope.sign(registration.REQUEST_KIND, {**document, "x": 1}, LAPTOP), coordinator_key=KEY)
