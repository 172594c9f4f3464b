"""Whatever bytes come: an archive, or a ProtocolError and nothing else."""

import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.client.heritage.conftest import PASSPHRASE, House

from hometone_client.heritage.contents import NEEDED, Contents
from hometone_client.heritage.deed import Deed
from hometone_client.heritage.sealing import HEADER, SealedArchive
from hometone_shared.errors import ProtocolError, WrongSecretError
from hometone_shared.records.canonical import canonical
from hometone_shared.withdrawal.recovery import RecoverySecret

SECRET = RecoverySecret(bytes(range(16)))
DEED = Deed(
    archive="ab" * 16,
    pseudonym=SECRET.pseudonym,
    coordinator="0" * 32,
    keeper=None,
    made=1,
    ends=2,
    speaker_key=bytes(32),
    contents_sha256="cd" * 32,
)


@given(st.binary(max_size=400))
def test_noise_is_no_archive_and_no_contents(data: bytes) -> None:
    for read in (SealedArchive.from_bytes, Contents.from_bytes):
        for noise in (data, HEADER + data):
            with pytest.raises(ProtocolError):
                read(noise)


@pytest.fixture
def small(house: House) -> bytes:
    return house.make(keeper=house.keeper(passphrase=PASSPHRASE))[1]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_one_changed_bit_opens_nothing(small: bytes, data: st.DataObject) -> None:
    at = data.draw(st.one_of(st.integers(0, min(1200, len(small) - 1)), st.integers(0, len(small) - 1)))
    changed = bytearray(small)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((ProtocolError, WrongSecretError)):
        SealedArchive.from_bytes(bytes(changed)).opened_with(PASSPHRASE)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_part_of_it_opens_nothing(small: bytes, data: st.DataObject) -> None:
    part = small[: data.draw(st.integers(0, len(small) - 1))]
    with pytest.raises((ProtocolError, WrongSecretError)):
        SealedArchive.from_bytes(part).opened_with(PASSPHRASE)


def test_something_behind_it_opens_nothing(small: bytes) -> None:
    with pytest.raises(ProtocolError):
        SealedArchive.from_bytes(small + b"x").opened_with(PASSPHRASE)


def test_the_contents_of_one_do_not_fit_the_deed_of_another(house: House) -> None:
    one = house.sealed(keeper=house.keeper(passphrase=PASSPHRASE))
    two = house.sealed(keeper=house.keeper(passphrase=PASSPHRASE), dialect={"dialect/a.json": b"{}"})
    with pytest.raises(WrongSecretError):
        SealedArchive(one.envelope, one.deed, two.lock, two.sealed).opened_with(PASSPHRASE)
    with pytest.raises(ProtocolError):
        SealedArchive(one.envelope, one.deed, one.lock, two.sealed).opened_with(PASSPHRASE)
    with pytest.raises(ProtocolError, match="another archive"):
        SealedArchive.with_passphrase(two.opened_with(PASSPHRASE), envelope=one.envelope, passphrase=PASSPHRASE)


def test_a_newer_version_says_so(small: bytes) -> None:
    with pytest.raises(ProtocolError, match="newer Hometone"):
        SealedArchive.from_bytes(small[:5] + b"\x02" + small[6:])


@pytest.mark.parametrize(
    "change",
    [
        {"archive": "AB" * 16},
        {"pseudonym": "0" * 31},
        {"coordinator": 1},
        {"keeper": "x" * 32},
        {"keeper": 7},
        {"made": -1},
        {"ends": 1},
        {"ends": 1.5},
        {"speaker_key": "AAAA"},
        {"contents_sha256": None},
        {"more": 1},
    ],
)
def test_a_deed_with_a_wrong_field_is_none(change: dict[str, object]) -> None:
    from hometone_client.heritage.deed import KIND
    from hometone_shared.records.signing import Envelope

    envelope = Envelope.sign(KIND, {**DEED.to_document(), **change}, SECRET.withdrawal_key())
    with pytest.raises(ProtocolError):
        Deed.from_envelope(envelope)


def test_a_deed_is_signed_by_the_owner_of_the_voice() -> None:
    from hometone_client.heritage.deed import KIND
    from hometone_shared.records.signing import Envelope

    stranger = RecoverySecret(bytes(16)).withdrawal_key()
    with pytest.raises(ProtocolError):
        DEED.signed(stranger)
    with pytest.raises(ProtocolError, match="owner"):
        Deed.from_envelope(Envelope.sign(KIND, DEED.to_document(), stranger))
    assert Deed.from_envelope(DEED.signed(SECRET.withdrawal_key())) == DEED


def listed(**changes: object) -> bytes:
    parts = [{"bytes": 1, "name": name, "sha256": hashlib.sha256(b"x").hexdigest()} for name in sorted(NEEDED)]
    told = {"dialect": "", "languages": ["zh"], "parts": parts, "program": "", "sample_language": "zh", "version": 1, **changes}
    data = canonical(told)
    return len(data).to_bytes(4, "big") + data + b"x" * len(told["parts"])


def part(name: str, size: int = 1) -> dict[str, object]:
    return {"bytes": size, "name": name, "sha256": hashlib.sha256(b"x").hexdigest()}


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": True},
        {"languages": ["../zh"]},
        {"languages": "zh"},
        {"sample_language": ""},
        {"parts": []},
        {"parts": [part(name) for name in sorted(NEEDED, reverse=True)]},
        {"parts": [part(name) for name in sorted([*NEEDED, "dialect/../../x"])]},
        {"parts": [part(name) for name in sorted([*NEEDED, "dialect/.x"])]},
        {"parts": [part(name) for name in sorted([*NEEDED, "dialect//x"])]},
        {"parts": [part(name) for name in sorted([*NEEDED, "more.txt"])]},
        {"parts": [part(name, 2) for name in sorted(NEEDED)]},
        {"parts": [{**part(name), "sha256": "00" * 32} for name in sorted(NEEDED)]},
        {"parts": [part(name) for name in sorted(NEEDED)] + [1]},
        {"more": 1},
    ],
)
def test_a_list_that_says_something_else_is_refused(changes: dict[str, object]) -> None:
    assert Contents.from_bytes(listed()).languages == ("zh",)
    with pytest.raises(ProtocolError):
        Contents.from_bytes(listed(**changes))


def test_a_list_that_is_not_canonical_is_refused() -> None:
    data = json.dumps(json.loads(listed()[4:-5])).encode()
    with pytest.raises(ProtocolError):
        Contents.from_bytes(len(data).to_bytes(4, "big") + data + b"xxxxx")
