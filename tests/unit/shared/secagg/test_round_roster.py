"""Advertisements and rosters: what is signed, what is refused."""

import hashlib
from dataclasses import replace

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hometone_shared.errors import ProtocolError
from hometone_shared.secagg.participant import Participant
from hometone_shared.secagg.roster import Advertisement, Roster, device_id

LOW_ORDER = [bytes(32), b"\x01" + bytes(31)]


def advertised(key, digest, **change):
    fields = {
        "mask_key": hashlib.sha256(b"m" + key.private_bytes_raw()).digest(),
        "seal_key": hashlib.sha256(b"s" + key.private_bytes_raw()).digest(),
        "commitment": bytes(32),
        "speakers": 2,
    }
    return Advertisement.signed(key, plan_digest=digest, **(fields | change))


def verified(round_, documents, **change):
    how = {"plan": round_.plan, "plan_digest": round_.digest, "directory": round_.directory} | change
    return Roster.verified(documents, **how)


def by_device(*advertisements):
    return [each.to_document() for each in sorted(advertisements, key=lambda each: each.device)]


def test_the_name_of_a_device():
    key = bytes(range(32))
    assert device_id(key) == hashlib.sha256(key).hexdigest()[:32]


def test_a_verified_roster(cohort, key_of):
    round_ = cohort(devices=5)
    documents = by_device(*(advertised(key_of(number), round_.digest) for number in range(5)))
    roster = verified(round_, documents)
    assert roster.devices == tuple(round_.everybody)
    assert roster.threshold == roster.shares_needed == 4
    assert roster.plan_digest == round_.digest
    expected = hashlib.sha256(b"hometone/roster/v1" + bytes.fromhex(round_.digest) + rfc8785.dumps(documents)).hexdigest()
    assert roster.digest == expected
    assert roster.context == bytes.fromhex(round_.digest + expected)
    assert roster.speakers_of(roster.devices[:3]) == 6
    for device, document in zip(roster.devices, documents, strict=True):
        assert device in roster
        assert roster.advertisement(device).to_document() == document
        assert roster.signing_key(device) == round_.directory[device]
    assert "0" * 32 not in roster
    for method in (roster.advertisement, roster.holders, roster.neighbours, roster.signing_key):
        with pytest.raises(KeyError):
            method("0" * 32)


def test_remembering_does_not_loosen_a_check(cohort, key_of):
    """The same bytes again, with another plan, directory or cohort, are judged anew."""
    round_ = cohort(devices=5)
    documents = by_device(*(advertised(key_of(number), round_.digest) for number in range(5)))
    roster = verified(round_, documents)
    assert verified(round_, [dict(reversed(document.items())) for document in documents]) is roster
    first = roster.devices[0]
    without = {device: key for device, key in round_.directory.items() if device != first}
    for change in (
        {"directory": without},
        {"directory": {}},
        {"directory": round_.directory | {first: round_.directory[roster.devices[1]]}},
        {"plan_digest": "0" * 64},
        {"plan_digest": "x"},
        {"plan": replace(round_.plan, minimum_cohort=6)},
        {"plan": replace(round_.plan, colluders=4)},
        {"plan": replace(round_.plan, noise_multiplier=1e5)},
    ):
        with pytest.raises(ProtocolError):
            verified(round_, documents, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"speakers": 3},
        {"commitment": bytes([1]) + bytes(31)},
        {"mask_key": bytes([9]) + bytes(31)},
        {"seal_key": bytes([9]) + bytes(31)},
        {"signature": bytes(64)},
        {"device": "0" * 32},
    ],
)
def test_a_signature_covers_every_field(cohort, key_of, change):
    round_ = cohort(devices=3)
    key = key_of(0)
    advertisement = advertised(key, round_.digest)
    public = key.public_key().public_bytes_raw()
    advertisement.check(round_.digest, public)
    with pytest.raises(ProtocolError):
        replace(advertisement, **change).check(round_.digest, public)
    with pytest.raises(ProtocolError):
        advertisement.check("0" * 64, public)
    with pytest.raises(ProtocolError):
        advertisement.check(round_.digest, key_of(1).public_key().public_bytes_raw())


@pytest.mark.parametrize("key", LOW_ORDER)
@pytest.mark.parametrize("name", ["mask_key", "seal_key"])
def test_worthless_keys_are_refused_however_well_signed(cohort, key_of, name, key):
    round_ = cohort(devices=3)
    bad = advertised(key_of(0), round_.digest, **{name: key})
    with pytest.raises(ProtocolError, match="worthless"):
        bad.check(round_.digest, key_of(0).public_key().public_bytes_raw())
    with pytest.raises(ProtocolError, match="worthless"):
        verified(round_, by_device(bad, *(advertised(key_of(number), round_.digest) for number in (1, 2))))


def test_order_and_duplicates(cohort, key_of):
    round_ = cohort(devices=3)
    ads = [advertised(key_of(number), round_.digest) for number in range(3)]
    documents = by_device(*ads)
    for bad in (documents[::-1], [documents[0], *documents[:2]], [documents[0], documents[2], documents[1]]):
        with pytest.raises(ProtocolError, match="order"):
            verified(round_, bad)
    same = ads[0].mask_key
    for change in ({"mask_key": same}, {"seal_key": same}, {"mask_key": ads[0].seal_key}):
        with pytest.raises(ProtocolError, match="twice"):
            verified(round_, by_device(ads[0], ads[2], advertised(key_of(1), round_.digest, **change)))
    both = advertised(key_of(1), round_.digest, mask_key=ads[1].mask_key, seal_key=ads[1].mask_key)
    with pytest.raises(ProtocolError, match="twice"):
        verified(round_, by_device(ads[0], both, ads[2]))


def test_invented_peers(cohort, key_of):
    round_ = cohort(devices=2)
    stranger = advertised(Ed25519PrivateKey.generate(), round_.digest)
    ads = [advertised(key_of(number), round_.digest) for number in range(2)]
    with pytest.raises(ProtocolError, match="directory"):
        verified(round_, by_device(*ads, stranger))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_small(cohort, key_of, count):
    round_ = cohort(devices=3, minimum_cohort=3)
    with pytest.raises(ProtocolError, match="too few"):
        verified(round_, by_device(*(advertised(key_of(number), round_.digest) for number in range(count))))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=6),
    max_leaves=10,
)


@given(JSON)
def test_hostile_rosters(cohort, value):
    round_ = cohort(devices=2)
    for hostile in (value, [value, value], [value] * 3):
        with pytest.raises(ProtocolError):
            verified(round_, hostile)
    with pytest.raises(ProtocolError):
        Advertisement.from_document(value)


def test_a_roster_nested_without_end(cohort):
    round_ = cohort(devices=2)
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(ProtocolError):
        verified(round_, [nested, nested])


@given(st.data())
def test_hostile_fields_of_an_advertisement(cohort, key_of, data):
    round_ = cohort(devices=2)
    document = advertised(key_of(0), round_.digest).to_document()
    name = data.draw(st.sampled_from([*document, "another"]))
    changed = dict(document)
    if data.draw(st.booleans()) and name in changed:
        del changed[name]
    else:
        changed[name] = data.draw(JSON)
    if changed == document:
        return
    with pytest.raises(ProtocolError):
        Advertisement.from_document(changed).check(round_.digest, round_.directory[document["device"]])


@pytest.mark.parametrize("speakers", [0, -1, 100_001])
def test_speakers_have_limits(cohort, key_of, speakers):
    round_ = cohort(devices=2)
    with pytest.raises(ProtocolError):
        Advertisement.from_document(advertised(key_of(0), round_.digest, speakers=speakers).to_document())
    with pytest.raises(ProtocolError):
        Participant(plan=round_.plan, plan_digest=round_.digest, signing_key=key_of(0), speakers=speakers)
