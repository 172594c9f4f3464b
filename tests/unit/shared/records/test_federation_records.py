"""Records of coordinator, devices, releases and joining: they come back, every change is noticed, directories and chains obey the rules."""

import contextlib
import hashlib
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.records import coordinator, device, joining, release
from hometone_shared.records.canonical import b64
from hometone_shared.records.coordinator import CoordinatorDescriptor, certificate_sha256, checked_address
from hometone_shared.records.device import DeviceEntry, DeviceStatus, device_id
from hometone_shared.records.directory import Directory
from hometone_shared.records.joining import JoinRequest
from hometone_shared.records.release import NOTHING_SHA256, Release, ReleaseChain, ReleaseStatus
from hometone_shared.records.signing import Envelope

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
HEX = "ab" * 32


def openssh(curve):
    return generate_private_key(curve).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


NODE_KEY = openssh(SECP384R1())
DESCRIPTOR = CoordinatorDescriptor(address="voices.example.org:443", bundle_sha256=HEX, ca_sha256=HEX, name="Casa del barrio 社区")
DEVICE_KEY = OTHER.public_key().public_bytes_raw()
ENTRY = DeviceEntry.of(signing_key=DEVICE_KEY, node_key=NODE_KEY)
FIRST = Release(
    number=0,
    parent_sha256=NOTHING_SHA256,
    base_sha256=HEX,
    basis_sha256="cd" * 32,
    dimension=3,
    vector_sha256=hashlib.sha256(bytes(12)).hexdigest(),
    plan_sha256=NOTHING_SHA256,
    run="0" * 16,
    round_number=0,
    created=1_700_000_000,
)
REQUEST = JoinRequest(coordinator_key=RAW, node_key=NODE_KEY, sealing_key=bytes(32), signing_key=DEVICE_KEY, token_sha256=HEX)


@pytest.mark.parametrize("record", [DESCRIPTOR, ENTRY, FIRST], ids=lambda record: type(record).__name__)
def test_comes_back_signed(record):
    envelope = record.signed(KEY)
    assert type(record).from_envelope(Envelope.from_bytes(envelope.to_bytes()), key=RAW) == record
    with pytest.raises(ProtocolError, match="another key"):
        type(record).from_envelope(record.signed(OTHER), key=RAW)
    with pytest.raises(ProtocolError, match="type"):
        type(record).from_envelope(Envelope.sign("hometone/other/v1", record.to_document(), KEY), key=RAW)


json_values = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.lists(st.integers(), max_size=2) | st.floats(0, 1)


@pytest.mark.parametrize("record", [DESCRIPTOR, ENTRY, FIRST], ids=lambda record: type(record).__name__)
@given(st.data())
def test_any_changed_field_is_refused_or_another_record(record, data):
    document = record.to_document()
    name = data.draw(st.sampled_from([*document, "more"]))
    document[name] = data.draw(json_values)
    with contextlib.suppress(ProtocolError):
        assert type(record).from_document(document).to_document() == document
    del document[name]
    if name != "more":
        with pytest.raises(ProtocolError, match="lacks"):
            type(record).from_document(document)


def test_the_documents_have_the_fields_of_the_protocol():
    assert set(DESCRIPTOR.to_document()) == {"address", "bundle_sha256", "ca_sha256", "name"}
    assert ENTRY.to_document() == {
        "device": hashlib.sha256(DEVICE_KEY).hexdigest()[:32],
        "node_key_sha256": hashlib.sha256(NODE_KEY).hexdigest(),
        "signing_key": b64(DEVICE_KEY),
        "status": "active",
    }
    kinds = (coordinator.KIND, device.KIND, release.KIND, joining.KIND)
    assert kinds == ("hometone/coordinator/v1", "hometone/device/v1", "hometone/release/v1", "hometone/join/v1")


@pytest.mark.parametrize("address", ["example.org:1", "[::1]:65535", "10.0.0.1:80", "a:9"])
def test_addresses(address):
    assert checked_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "example.org",
        ":80",
        "example.org:0",
        "example.org:080",
        "example.org:65536",
        "Example.org:80",
        "a b:80",
        "::1:80",
        "a:80/x",
        "a@b:80",
        "-a:1",
        "a..b:1",
        "a.:1",
        "a-:1",
        f"{'a' * 64}:1",
        f"{'a.' * 127}a:1",
        "[:::]:1",
        "[1.2.3.4]:1",
    ],
)
def test_bad_addresses(address):
    with pytest.raises(ProtocolError):
        checked_address(address)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 201])
def test_bad_names_of_coordinators(name):
    with pytest.raises(ProtocolError):
        CoordinatorDescriptor(address="a:1", bundle_sha256=HEX, ca_sha256=HEX, name=name)


def test_fingerprints_of_certificates():
    der = b"not looked into"
    pem = ssl.DER_cert_to_PEM_cert(der).encode()
    assert certificate_sha256(pem) == certificate_sha256(b"\n" + pem + b"\n") == hashlib.sha256(der).hexdigest()
    for bad in (
        b"",
        b"x",
        pem + pem,
        pem[:-10],
        pem + b" " * 20_000,
        "é".encode(),
        ssl.DER_cert_to_PEM_cert(b"").encode(),
        pem.replace(b"b", b"!"),
    ):
        with pytest.raises(ProtocolError):
            certificate_sha256(bad)


def test_a_device_is_named_after_its_key():
    assert ENTRY.device == device_id(DEVICE_KEY)
    with pytest.raises(ProtocolError, match="named after"):
        DeviceEntry.from_document({**ENTRY.to_document(), "device": "0" * 32})
    with pytest.raises(ProtocolError, match="status"):
        DeviceEntry.from_document({**ENTRY.to_document(), "status": "sleeping"})


def entry_of(number, status=DeviceStatus.ACTIVE, node="11"):
    key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key().public_bytes_raw()
    return DeviceEntry(signing_key=key, node_key_sha256=node * 32, status=status)


def test_the_newest_entry_counts():
    entries = [
        entry_of(1),
        entry_of(2),
        entry_of(2, node="22"),
        entry_of(3),
        entry_of(3, DeviceStatus.REVOKED),
        entry_of(4, DeviceStatus.REVOKED),
    ]
    envelopes = [each.signed(KEY) for each in entries]
    envelopes.insert(2, FIRST.signed(KEY))
    directory = Directory.from_entries(envelopes, RAW)
    assert directory.active == {each.device: each.signing_key for each in entries[:2]}
    assert directory.entries[entry_of(2).device].node_key_sha256 == "22" * 32
    assert not directory.entries[entry_of(3).device].is_active
    assert Directory.from_entries(envelopes[:3], RAW).followed_by(envelopes[3:], RAW) == directory
    assert Directory.from_entries([], RAW).active == {}


def test_nobody_comes_back_who_was_revoked():
    revoked = entry_of(1, DeviceStatus.REVOKED).signed(KEY)
    with pytest.raises(ProtocolError, match="active again"):
        Directory.from_entries([entry_of(1).signed(KEY), revoked, entry_of(1, node="33").signed(KEY)], RAW)
    twice = Directory.from_entries([revoked, revoked], RAW)
    assert twice.active == {}


def test_a_directory_takes_entries_of_its_coordinator_only():
    with pytest.raises(ProtocolError, match="another key"):
        Directory.from_entries([entry_of(1).signed(OTHER)], RAW)
    envelope = entry_of(1).signed(KEY)
    forged = Envelope(kind=envelope.kind, payload=entry_of(2).signed(KEY).payload, key=RAW, signature=envelope.signature)
    with pytest.raises(ProtocolError, match="does not hold"):
        Directory.from_entries([forged], RAW)
    with pytest.raises(ProtocolError):
        Directory.from_entries([Envelope.sign(device.KIND, {"device": "x"}, KEY)], RAW)


def following(before, **changes):
    document = before.to_document()
    document |= {"number": before.number + 1, "parent_sha256": before.signed(KEY).digest, "plan_sha256": HEX, "round": before.number + 1}
    return Release.from_document(document | changes)


def test_releases_form_a_chain():
    second = following(FIRST, vector_sha256="ee" * 32)
    third = following(second, restores=0, vector_sha256=FIRST.vector_sha256, plan_sha256=NOTHING_SHA256, round=0)
    envelopes = [each.signed(KEY) for each in (FIRST, second, third)]
    chain = ReleaseChain.from_entries([envelopes[0], ENTRY.signed(KEY), *envelopes[1:]], RAW)
    assert chain.releases == (FIRST, second, third)
    assert chain.digests == tuple(each.digest for each in envelopes)


@pytest.mark.parametrize(
    "changes", [{"number": 2}, {"parent_sha256": "11" * 32}, {"restores": 0, "vector_sha256": "11" * 32}, {"restores": 0, "dimension": 4}]
)
def test_releases_that_do_not_follow(changes):
    chain = ReleaseChain().followed_by(FIRST.signed(KEY), RAW)
    with pytest.raises(ProtocolError):
        chain.followed_by(following(FIRST, **changes).signed(KEY), RAW)


def test_the_chain_begins_at_zero_and_is_the_coordinators():
    with pytest.raises(ProtocolError, match="follow"):
        ReleaseChain().followed_by(following(FIRST).signed(KEY), RAW)
    with pytest.raises(ProtocolError, match="another key"):
        ReleaseChain().followed_by(FIRST.signed(OTHER), RAW)


def test_provisional_releases_are_passed_over():
    assert ReleaseChain().newest_current is None
    chain = ReleaseChain().followed_by(FIRST.signed(KEY), RAW)
    assert chain.newest_current == FIRST
    provisional = following(FIRST, status="provisional")
    assert provisional.status is ReleaseStatus.PROVISIONAL
    assert Release.from_document(provisional.to_document()) == provisional
    assert provisional.to_document()["status"] == "provisional"
    longer = chain.followed_by(provisional.signed(KEY), RAW)
    assert (longer.releases[-1], longer.newest_current) == (provisional, FIRST)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 1},
        {"parent_sha256": HEX},
        {"restores": 0},
        {"restores": True},
        {"restores": "0"},
        {"status": "withdrawn"},
        {"plan_sha256": HEX},
        {"round": 1},
        {"dimension": 0},
        {"dimension": (1 << 22) + 1},
        {"run": "0" * 15},
        {"created": -1},
    ],
)
def test_releases_outside_the_limits(changes):
    with pytest.raises(ProtocolError):
        Release.from_document({**FIRST.to_document(), **changes})


def test_a_vector_is_known_by_length_and_hash():
    FIRST.check_vector(bytes(12))
    assert FIRST.vector_bytes == 12
    for wrong in (bytes(11), bytes(11) + b"\x01", b""):
        with pytest.raises(ProtocolError):
            FIRST.check_vector(wrong)


def test_a_request_to_join_comes_back():
    envelope = REQUEST.signed(OTHER)
    assert JoinRequest.from_envelope(Envelope.from_bytes(envelope.to_bytes())) == REQUEST
    assert REQUEST.device == ENTRY.device
    assert REQUEST.entry() == ENTRY


def test_a_request_is_signed_by_the_key_it_brings():
    with pytest.raises(ProtocolError, match="another key"):
        JoinRequest.from_envelope(REQUEST.signed(KEY))
    envelope = REQUEST.signed(OTHER)
    with pytest.raises(ProtocolError, match="does not hold"):
        JoinRequest.from_envelope(Envelope(envelope.kind, envelope.payload, envelope.key, bytes(64)))


@pytest.mark.parametrize(
    "node_key",
    [
        b"",
        b"ssh-ed25519 AAAA",
        NODE_KEY + b" somebody@laptop",
        NODE_KEY + b"\n",
        b" " + NODE_KEY,
        NODE_KEY[:-4],
        openssh(SECP256R1()),
        b"\xff" * 20,
        b"ecdsa-sha2-nistp384 " + b"A" * 500,
        OTHER.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    ],
)
def test_node_keys_that_are_none(node_key):
    with pytest.raises(ProtocolError):
        JoinRequest(coordinator_key=RAW, node_key=node_key, sealing_key=bytes(32), signing_key=DEVICE_KEY, token_sha256=HEX)


@given(st.text(max_size=60))
def test_hostile_node_keys(text):
    document = {**REQUEST.to_document(), "node_key": text}
    with pytest.raises(ProtocolError):
        JoinRequest.from_envelope(Envelope.sign(joining.KIND, document, OTHER))
