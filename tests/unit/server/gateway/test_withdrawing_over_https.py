"""What laptops deliver about withdrawals: every answer can be verified, every refusal has its code, and nothing of it is in a log."""

import json
import logging
import threading

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hometone_server.gateway.app import build
from hometone_server.gateway.limits import Attempts
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import StorageError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.cosignature import WitnessKey, cosign, cosigned_at
from hometone_shared.log.merkle import leaf_hash, verify_inclusion
from hometone_shared.records.canonical import canonical, checked_b64, parse
from hometone_shared.records.device import DeviceEntry, device_id
from hometone_shared.records.holding import holder_proof
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import FiledReceipt, HolderReceipt, Removed, Role
from hometone_shared.records.registration import RegistrationRequest, SpeakerEntry
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Tombstone, Withdrawal, coordinator_name
from hometone_shared.withdrawal.receipt_bundle import ReceiptBundle
from hometone_shared.withdrawal.recovery import RecoverySecret


class Life:
    """One speaker on one laptop, and what is delivered about her."""

    def __init__(self, log, home):
        self.log = log
        self.secret = RecoverySecret.generate()
        self.laptop = Ed25519PrivateKey.generate()
        raw = self.laptop.public_key().public_bytes_raw()
        self.device = device_id(raw)
        log.append(DeviceEntry(signing_key=raw, node_key_sha256=raw.hex()).signed(home.signing_key({})))

    def request(self):
        return {"request": RegistrationRequest.make(coordinator_key=self.log.key, secret=self.secret, device_key=self.laptop).to_document()}

    def tombstone(self, **changes):
        fields = {
            "pseudonym": self.secret.pseudonym,
            "coordinator": coordinator_name(self.log.key),
            "scope": frozenset(Purpose),
            "sequence": 1,
            "made": 1_800_000_000,
        }
        return Tombstone(**fields | changes).signed(self.secret.withdrawal_key())

    def receipt(self, role=Role.LAPTOP, **changes):
        fields = {
            "tombstone_sha256": self.tombstone().digest,
            "pseudonym": self.secret.pseudonym,
            "role": role,
            "at": 1_800_000_100,
            "removed": {Removed.VOICES: 1},
            "holder": holder_proof(self.secret.withdrawal_key(), role=role, device=self.device),
        }
        return HolderReceipt(**fields | changes).signed(self.laptop)


@pytest.fixture
def life(log, home):
    return Life(log, home)


def post(gateway, path, document):
    return gateway.ask("POST", path, content=canonical(document))


def refused(answer, status, code):
    assert answer.status_code == status
    error = parse(answer.content)["error"]
    assert error["code"] == code
    assert error["message"]


def proven(answer, log):
    """The leaf of an answer, verified as a laptop does it."""
    assert answer.status_code == 200, answer.text
    said = parse(answer.content)
    head = Checkpoint.from_note(said["checkpoint"].encode(), origin=log_origin(log.key), key=log.key)
    leaf = Envelope.from_document(said["leaf"])
    proof = [checked_b64(part, name="part") for part in said["proof"]]
    verify_inclusion(proof, leaf=leaf_hash(leaf.to_bytes()), index=said["index"], size=head.size, root=head.root)
    return leaf, said


def test_a_whole_withdrawal(gateway, log, life):
    leaf, said = proven(post(gateway, "/speakers", life.request()), log)
    assert set(said) == {"checkpoint", "index", "leaf", "proof"}
    assert SpeakerEntry.from_envelope(leaf, key=log.key).pseudonym == life.secret.pseudonym
    pseudonym = life.secret.pseudonym
    refused(gateway.ask("GET", f"/withdrawals/{pseudonym}"), 404, "missing")

    tombstone = life.tombstone()
    leaf, said = proven(post(gateway, "/tombstones", {"tombstone": tombstone.to_document()}), log)
    assert set(said) == {"checkpoint", "index", "leaf", "proof", "receipt"}
    assert Withdrawal.from_envelope(leaf, key=log.key).tombstone == tombstone
    own = Envelope.from_document(said["receipt"])
    assert own.key == log.key
    assert HolderReceipt.from_envelope(own).role is Role.COORDINATOR
    assert post(gateway, "/tombstones", {"tombstone": tombstone.to_document()}).content == canonical(said)

    receipt = life.receipt()
    leaf, said = proven(post(gateway, "/receipts", {"receipt": receipt.to_document()}), log)
    assert set(said) == {"checkpoint", "index", "leaf", "proof"}
    assert FiledReceipt.from_envelope(leaf, key=log.key).receipt == receipt

    answer = gateway.ask("GET", f"/withdrawals/{pseudonym}")
    assert answer.headers["content-disposition"].startswith("attachment")
    verified = ReceiptBundle.from_bytes(answer.content).verified(log.key)
    assert verified.is_complete
    assert verified.pseudonym == pseudonym


def test_refusals_of_deliveries(gateway, log, home, life):
    other = Life(log, home)
    refused(post(gateway, "/tombstones", {"tombstone": life.tombstone().to_document()}), 403, "unknown")
    refused(post(gateway, "/receipts", {"receipt": life.receipt().to_document()}), 403, "unknown")
    proven(post(gateway, "/speakers", life.request()), log)
    stolen = RegistrationRequest.make(coordinator_key=log.key, secret=life.secret, device_key=other.laptop)
    refused(post(gateway, "/speakers", {"request": stolen.to_document()}), 403, "used")
    stranger = RegistrationRequest.make(coordinator_key=log.key, secret=other.secret, device_key=Ed25519PrivateKey.generate())
    refused(post(gateway, "/speakers", {"request": stranger.to_document()}), 403, "unknown")
    elsewhere = RegistrationRequest.make(coordinator_key=bytes(32), secret=other.secret, device_key=other.laptop)
    refused(post(gateway, "/speakers", {"request": elsewhere.to_document()}), 400, "malformed")
    refused(post(gateway, "/tombstones", {"tombstone": life.tombstone(coordinator="ab" * 16).to_document()}), 403, "elsewhere")
    proven(post(gateway, "/tombstones", {"tombstone": life.tombstone(sequence=2).to_document()}), log)
    refused(post(gateway, "/tombstones", {"tombstone": life.tombstone().to_document()}), 403, "replayed")
    refused(post(gateway, "/speakers", life.request()), 403, "refused")
    for pseudonym in ("AB" * 16, "ab" * 15, "x"):
        answer = gateway.ask("GET", f"/withdrawals/{pseudonym}")
        refused(answer, 400, "malformed")


@pytest.mark.parametrize("path", ["/speakers", "/tombstones", "/receipts", "/log/cosignatures"])
def test_hostile_bodies_of_deliveries(gateway, log, life, path):
    name = {"/speakers": "request", "/tombstones": "tombstone", "/receipts": "receipt", "/log/cosignatures": "note"}[path]
    good = {"request": life.request()["request"], "tombstone": life.tombstone().to_document(), "receipt": life.receipt().to_document()}
    good["note"] = "nonsense"
    size = log.checkpoint().size
    for body in (
        b"",
        b"{}",
        b"[" * 5000,
        b"x" * 20_000,
        json.dumps({name: good[name]}, indent=1).encode(),
        canonical({name: good[name], "more": 1}),
        canonical({name: None}),
        canonical({name: {**life.request()["request"], "type": "hometone/test/v1"}}),
    ):
        refused(gateway.ask("POST", path, content=body), 400, "malformed")
    assert gateway.ask("GET", path).status_code == 405
    assert log.checkpoint().size == size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.sampled_from(["/speakers", "/tombstones", "/receipts", "/log/cosignatures"]), st.binary(max_size=200))
def test_hostile_bytes_of_deliveries(gateway, path, data):
    refused(gateway.ask("POST", path, content=data), 400, "malformed")


def test_deliveries_are_counted_apart_from_joining(home, life, log):
    app = build(home.root, register_node=print, attempts=Attempts(peer_per_minute=1), deliveries=Attempts(peer_per_minute=3))

    async def ask():
        transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="https://a/hometone/v1") as client:
            return [(await client.post("/speakers", content=canonical(life.request()))).status_code for _ in range(4)]

    assert anyio.run(ask) == [200, 200, 200, 429]


def test_cosignatures_over_https(gateway, log, home, life):
    key = Ed25519PrivateKey.generate()
    witness = WitnessKey("library/w", key.public_key().public_bytes_raw())
    refused(gateway.ask("GET", "/log/checkpoint/cosigned"), 404, "missing")
    note = cosign(gateway.ask("GET", "/log/checkpoint").content, key=key, name="library/w", time_s=77)
    said = parse(post(gateway, "/log/cosignatures", {"note": note.decode()}).content)
    assert said == {"checkpoint": note.decode()}
    assert gateway.ask("GET", "/log/checkpoint").content == note
    post(gateway, "/speakers", life.request())
    assert gateway.ask("GET", "/log/checkpoint").content == log.head()
    assert gateway.ask("GET", "/log/checkpoint/cosigned").content == note
    refused(post(gateway, "/log/cosignatures", {"note": log.head().decode()}), 403, "unknown")
    post(gateway, "/tombstones", {"tombstone": life.tombstone().to_document()})
    seen = cosign(log.head(), key=key, name="library/w", time_s=99)
    post(gateway, "/log/cosignatures", {"note": seen.decode()})
    post(gateway, "/receipts", {"receipt": life.receipt(role=Role.RECIPIENT).to_document()})
    bundle = ReceiptBundle.from_bytes(gateway.ask("GET", f"/withdrawals/{life.secret.pseudonym}").content)
    assert bundle.checkpoint == log.head(), "a head that does not cover all receipts proves less"
    post(gateway, "/log/cosignatures", {"note": cosign(log.head(), key=key, name="library/w", time_s=111).decode()})
    Life(log, home)
    bundle = ReceiptBundle.from_bytes(gateway.ask("GET", f"/withdrawals/{life.secret.pseudonym}").content)
    assert cosigned_at(bundle.checkpoint, witness) == 111
    assert bundle.verified(log.key, [witness]).witnessed == {"library/w": 111}


def test_the_log_says_nothing_about_withdrawals(gateway, life, caplog):
    caplog.set_level(logging.DEBUG)
    post(gateway, "/speakers", life.request())
    post(gateway, "/tombstones", {"tombstone": life.tombstone().to_document()})
    post(gateway, "/receipts", {"receipt": life.receipt().to_document()})
    own = [record.getMessage() for record in caplog.records if record.name.startswith("hometone_server")]
    assert own == []


def test_what_was_left_in_the_files_goes_at_the_start_and_later(home, log, monkeypatch):
    calls, enough = [], threading.Event()

    def scrub(_self):
        calls.append(1)
        if len(calls) == 1:
            raise StorageError("the disk is away")
        if len(calls) == 3:
            enough.set()
        return True

    monkeypatch.setattr(Withdrawals, "scrub", scrub)
    monkeypatch.setattr("hometone_server.gateway.withdrawing.SCRUB_EVERY_S", 0.01)
    app = build(home.root, register_node=print)

    async def live():
        async with app.router.lifespan_context(app):
            assert await anyio.to_thread.run_sync(enough.wait, 10)

    anyio.run(live)
