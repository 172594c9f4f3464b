"""Cosignatures are taken on heads of this log alone, and served below the head that they are about."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server.records.cosignatures import MOST_WITNESSES, Cosignatures
from hometone_server.records.refusals import FilingRefusedError
from hometone_server.records.store import LogStore
from hometone_shared.errors import ProtocolError, UsageError
from hometone_shared.log.checkpoint import Checkpoint, log_origin
from hometone_shared.log.cosignature import WitnessKey, cosign, cosigned_at
from hometone_shared.records.signing import Envelope

WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
NAME = "library.example/w1"
PUBLIC = WitnessKey(NAME, WITNESS.public_key().public_bytes_raw())


def grow(log, key, count=1):
    first = log.checkpoint().size
    log.append_all(Envelope.sign("hometone/test/v1", {"number": first + number}, key) for number in range(count))


def size_of(log, note):
    return Checkpoint.from_note(note, origin=log_origin(log.key), key=log.key).size


@pytest.fixture
def kept(log, key):
    grow(log, key, 3)
    return Cosignatures(log)


def refused(kept, code, note):
    with pytest.raises(FilingRefusedError) as caught:
        kept.take(note)
    assert caught.value.code == code


def test_a_cosignature_stands_below_its_head(log, key, kept):
    with pytest.raises(UsageError):
        kept.cosigned_head()
    kept.take(cosign(kept.newest_head(), key=WITNESS, name=NAME, time_s=1000))
    assert cosigned_at(kept.newest_head(), PUBLIC) == 1000
    assert kept.cosigned_head() == kept.newest_head()
    grow(log, key)
    assert kept.newest_head() == log.head()
    assert size_of(log, kept.cosigned_head()) == 3
    assert cosigned_at(kept.cosigned_head(), PUBLIC) == 1000


def test_the_newest_word_of_a_witness_counts(log, key, kept):
    old = kept.newest_head()
    grow(log, key)
    kept.take(cosign(kept.newest_head(), key=WITNESS, name=NAME, time_s=2000))
    kept.take(cosign(old, key=WITNESS, name=NAME, time_s=3000))
    assert cosigned_at(kept.newest_head(), PUBLIC) == 2000
    kept.take(cosign(kept.newest_head(), key=WITNESS, name=NAME, time_s=4000))
    assert cosigned_at(kept.newest_head(), PUBLIC) == 4000
    assert kept.seen() == [(NAME, 4)]


def test_two_witnesses(log, kept):
    other = Ed25519PrivateKey.generate()
    for number, (signer, name) in enumerate(((WITNESS, NAME), (other, "school/w"))):
        kept.take(cosign(log.head(), key=signer, name=name, time_s=10 + number))
    assert cosigned_at(kept.newest_head(), PUBLIC) == 10
    assert cosigned_at(kept.newest_head(), WitnessKey("school/w", other.public_key().public_bytes_raw())) == 11


def test_heads_that_are_not_of_this_log(tmp_path, log, key, kept):
    with pytest.raises(ProtocolError):
        kept.take(b"nonsense")
    with pytest.raises(ProtocolError):
        kept.take(cosign(kept.newest_head(), key=WITNESS, name=NAME, time_s=1).replace(b"\n3\n", b"\n4\n"))
    refused(kept, "unknown", kept.newest_head())
    with LogStore(tmp_path / "fork.db", signing_key=key) as fork:
        for size in (3, 4):
            grow(fork, key, size)
            fork.append(Envelope.sign("hometone/test/v1", {"fork": size}, key))
            refused(kept, "elsewhere", cosign(fork.head(), key=WITNESS, name=NAME, time_s=1))
    assert kept.seen() == []


def test_named_witnesses_alone_are_taken_and_checked(kept):
    stranger = Ed25519PrivateKey.generate()
    kept.take(cosign(kept.newest_head(), key=stranger, name=NAME, time_s=1))
    assert kept.trust(PUBLIC.text()) == PUBLIC
    assert kept.seen() == []
    refused(kept, "unknown", cosign(kept.newest_head(), key=stranger, name=NAME, time_s=1))
    good = cosign(kept.newest_head(), key=WITNESS, name=NAME, time_s=5)
    false = cosign(Checkpoint(origin=log_origin(bytes(32)), size=1, root=bytes(32)).signed(stranger), key=WITNESS, name=NAME, time_s=5)
    line = false.rstrip(b"\n").rpartition(b"\n")[2]
    with pytest.raises(ProtocolError):
        kept.take(kept.newest_head() + line + b"\n")
    assert kept.seen() == []
    kept.take(good)
    assert kept.newest_head() == good
    kept.forget(NAME)
    assert (kept.seen(), kept.witnesses()) == ([], [])
    with pytest.raises(UsageError):
        kept.forget(NAME)
    with pytest.raises(UsageError):
        kept.trust("nonsense")


def test_there_is_an_end(kept):
    for number in range(MOST_WITNESSES):
        kept.take(cosign(kept.newest_head(), key=WITNESS, name=f"w{number}", time_s=1))
    refused(kept, "busy", kept.newest_head().replace(b" w0 ", b" w99 "))
    kept.take(cosign(kept.newest_head(), key=WITNESS, name="w3", time_s=2))
    for number in range(MOST_WITNESSES):
        kept.trust(WitnessKey(f"w{number}", PUBLIC.key).text())
    with pytest.raises(UsageError):
        kept.trust(PUBLIC.text())
    assert len(kept.witnesses()) == MOST_WITNESSES


def test_an_older_head_is_signed_again_only_if_it_was_one(log, kept):
    with pytest.raises(ProtocolError):
        log.signed(Checkpoint(origin=log_origin(log.key), size=2, root=bytes(32)))
    with pytest.raises(ProtocolError):
        log.signed(Checkpoint(origin="elsewhere", size=2, root=log.root_at(2)))
