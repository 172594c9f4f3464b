"""hometone_shared makes and reads what the second implementation (make_vectors) wrote, and what others have published."""

import base64
import json
import runpy
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_shared.log.cosignature import WitnessKey, cosign, cosigned_at
from hometone_shared.records.device import device_id
from hometone_shared.records.holding import holder_proof
from hometone_shared.records.lease import Lease, RecipientCard, words_of_card
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import FiledReceipt, HolderReceipt, Pending, PendingItem, Removed, Role
from hometone_shared.records.registration import RegistrationRequest, SpeakerEntry
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import SharedModelWish, Tombstone, Withdrawal
from hometone_shared.records.withdrawn_releases import WithdrawnReleases
from hometone_shared.withdrawal.recovery import RecoverySecret

HERE = Path(__file__).parent
VECTORS = json.loads((HERE / "withdrawal.json").read_text(encoding="utf-8"))
RECORDS, COSIGNATURE = VECTORS["records"], VECTORS["cosignature"]
COORDINATOR, LAPTOP = (Ed25519PrivateKey.from_private_bytes(bytes([value]) * 32) for value in (7, 8))
KEY = bytes.fromhex(RECORDS["coordinator_key"])
OWNER = RecoverySecret(bytes.fromhex(RECORDS["owner_secret"]))


def envelope(name):
    return Envelope.from_document(RECORDS[name])


def test_the_file_is_what_the_second_implementation_computes():
    assert runpy.run_path(str(HERE / "make_vectors.py"))["VECTORS"] == VECTORS


@pytest.mark.parametrize("vector", VECTORS["secrets"], ids=lambda vector: vector["pseudonym"])
def test_secrets(vector):
    secret = RecoverySecret(bytes.fromhex(vector["secret"]))
    assert (secret.code(), secret.words("en"), secret.words("zh")) == (vector["code"], vector["words_en"], vector["words_zh"])
    assert secret.withdrawal_key().private_bytes_raw().hex() == vector["withdrawal_seed"]
    assert secret.withdrawal_key().public_key().public_bytes_raw().hex() == vector["withdrawal_key"]
    assert secret.pseudonym == vector["pseudonym"]
    for text in (vector["code"], vector["words_en"], vector["words_zh"]):
        assert RecoverySecret.from_text(text) == secret


@pytest.mark.parametrize(
    ("entropy", "words"),
    [
        ("00" * 16, "abandon " * 11 + "about"),
        ("7f" * 16, "legal winner thank year wave sausage worth useful legal winner thank yellow"),
        ("80" * 16, "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"),
        ("ff" * 16, "zoo " * 11 + "wrong"),
        ("9e885d952ad362caeb4efe34a8e91bd2", "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic"),
    ],
)
def test_the_published_vectors_of_bip_39(entropy, words):
    secret = RecoverySecret(bytes.fromhex(entropy))
    assert secret.words("en") == words
    assert RecoverySecret.from_text(words) == secret


def test_records_are_read_and_made_again():
    request = RegistrationRequest.from_envelope(envelope("register-speaker"), coordinator_key=KEY)
    assert request.pseudonym == OWNER.pseudonym
    assert RegistrationRequest.make(coordinator_key=KEY, secret=OWNER, device_key=LAPTOP) == envelope("register-speaker")
    assert request.entry().signed(COORDINATOR) == envelope("speaker")
    assert SpeakerEntry.from_envelope(envelope("speaker"), key=KEY) == request.entry()

    tombstone = Tombstone.from_envelope(envelope("tombstone"))
    assert (tombstone.pseudonym, tombstone.sequence, tombstone.shared_model) == (OWNER.pseudonym, 3, SharedModelWish.REPLAY)
    assert tombstone.scope == {Purpose.OWN_VOICE, Purpose.ARCHIVE}
    assert tombstone.signed(OWNER.withdrawal_key()) == envelope("tombstone")
    withdrawal = Withdrawal.from_envelope(envelope("withdrawal"), key=KEY)
    assert (withdrawal.content, withdrawal.signed(COORDINATOR)) == (tombstone, envelope("withdrawal"))

    receipt = HolderReceipt.from_envelope(envelope("receipt"))
    receipt.check_about(envelope("tombstone"))
    owner_key, device = envelope("tombstone").key, device_id(envelope("receipt").key)
    receipt.check_holder(withdrawal_key=owner_key, device=device)
    assert receipt.holder == holder_proof(OWNER.withdrawal_key(), role="laptop", device=device)
    assert (receipt.role, receipt.removed) == (Role.LAPTOP, {Removed.RECORDINGS: 12, Removed.VOICES: 1})
    assert receipt.pending[0] == PendingItem(what=Pending.EXPORTS_ELSEWHERE, until=None)
    assert receipt.shared_model.epsilon == 1.5
    assert receipt.signed(LAPTOP) == envelope("receipt")
    filed = FiledReceipt.from_envelope(envelope("filed-receipt"), key=KEY)
    assert (filed.content, filed.signed(COORDINATOR)) == (receipt, envelope("filed-receipt"))

    releases = WithdrawnReleases.from_envelope(envelope("withdrawn-releases"), key=KEY)
    assert (releases.releases, releases.replaced_by) == ((3, 4, 7), 9)
    assert releases.signed(COORDINATOR) == envelope("withdrawn-releases")


def test_lending_records_are_read_and_made_again():
    card = RecipientCard.from_envelope(envelope("recipient"))
    assert (card.label, card.signed(LAPTOP)) == ("晨光之家", envelope("recipient"))
    assert words_of_card(envelope("recipient")) == RECORDS["check_words"]
    lease = Lease.from_envelope(envelope("lease"))
    assert (lease.recipient, lease.signed(OWNER.withdrawal_key())) == (card.device, envelope("lease"))


def test_cosignatures():
    witness = WitnessKey.parse(COSIGNATURE["verifier"])
    assert (witness.name, witness.text()) == (COSIGNATURE["name"], COSIGNATURE["verifier"])
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(COSIGNATURE["private_key"]))
    made = cosign(COSIGNATURE["note"].encode(), key=key, name=witness.name, time_s=COSIGNATURE["time"])
    assert made == COSIGNATURE["cosigned"].encode()
    assert cosigned_at(made, witness) == COSIGNATURE["time"]


def test_a_witness_key_of_another_implementation():
    """From the tests of transparency-dev/formats: a key of type 04, and a cosignature blob whose time is given there."""
    text = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    assert WitnessKey.parse(text).text() == text
    blob = base64.b64decode("ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJXORmnFBOBA==")
    assert (len(blob), int.from_bytes(blob[4:12], "big")) == (76, 1727964367)
