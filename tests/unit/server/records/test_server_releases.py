"""Releases: vectors and records belong together, nothing is lost or made twice, and going back is going forward."""

import hashlib

import numpy as np
import pytest

from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_shared.errors import DamagedVaultError, ProtocolError, StorageError, UsageError
from hometone_shared.records.release import NOTHING_SHA256, Release

BASE, BASIS, PLAN, RUN = "aa" * 32, "bb" * 32, "cc" * 32, "0123456789abcdef"
VECTOR = np.array([0.5, -1.25, 3e-9], dtype=np.float32)


@pytest.fixture
def releases(log, tmp_path):
    return Releases(log, folder=tmp_path / "releases", clock=lambda: 1_700_000_000.7)


def first(releases):
    return releases.publish(np.zeros(3), base_sha256=BASE, basis_sha256=BASIS)


def second(releases, plan=PLAN, vector=VECTOR):
    return releases.publish(vector, base_sha256=BASE, basis_sha256=BASIS, plan_sha256=plan, run=RUN, round_number=1)


def test_a_chain_of_releases(releases, log, tmp_path):
    zero, one = first(releases), second(releases)
    assert (zero.number, zero.parent_sha256, zero.plan_sha256, zero.created) == (0, NOTHING_SHA256, NOTHING_SHA256, 1_700_000_000)
    assert (one.number, one.parent_sha256, one.plan_sha256, one.run) == (1, releases.digest(0), PLAN, RUN)
    assert one.vector_sha256 == hashlib.sha256(VECTOR.astype("<f4").tobytes()).hexdigest()
    assert (tmp_path / "releases" / one.vector_sha256).read_bytes() == releases.vector(1) == VECTOR.tobytes()
    assert np.array_equal(releases.coordinates(1), VECTOR)
    assert not releases.coordinates(1).flags.writeable
    assert releases.newest() == one == releases.release(1) == releases.of_plan(PLAN)
    assert Release.from_envelope(releases.envelope(1), key=log.key) == one
    assert releases.chain().releases == (zero, one)
    assert releases.chain().digests[1] == releases.digest(1) == releases.envelope(1).digest
    assert log.checkpoint().size == 2


def test_a_plan_makes_one_release(releases, log):
    first(releases)
    made = second(releases)
    assert second(releases, vector=np.ones(3)) == made
    assert second(releases, plan="dd" * 32).number == 2
    assert log.checkpoint().size == 3
    assert releases.of_plan("ee" * 32) is None
    assert releases.of_plan(NOTHING_SHA256) is None


def test_going_back_is_a_new_release(releases):
    zero, one = first(releases), second(releases)
    back = releases.restore(0)
    assert (back.number, back.restores, back.vector_sha256, back.parent_sha256) == (2, 0, zero.vector_sha256, releases.digest(1))
    assert (back.plan_sha256, back.round_number) == (NOTHING_SHA256, 0)
    assert np.array_equal(releases.coordinates(2), np.zeros(3))
    forward = releases.restore(1)
    assert forward.vector_sha256 == one.vector_sha256
    with pytest.raises(UsageError, match="newest"):
        releases.restore(3)
    with pytest.raises(UsageError, match="no such"):
        releases.restore(9)


@pytest.mark.parametrize("vector", [np.array([np.nan]), np.array([np.inf]), np.array([1e39]), np.zeros((2, 2)), np.zeros(0)])
def test_vectors_that_are_none(releases, log, vector):
    with np.errstate(over="ignore"), pytest.raises(ProtocolError):
        releases.publish(vector, base_sha256=BASE, basis_sha256=BASIS)
    assert log.checkpoint().size == 0


def test_fields_that_are_none(releases, log):
    with pytest.raises(ProtocolError):
        releases.publish(VECTOR, base_sha256="x", basis_sha256=BASIS)
    assert log.checkpoint().size == 0


@pytest.mark.parametrize("number", [0, 1, -1])
def test_releases_that_there_are_not(releases, number):
    for call in (releases.release, releases.envelope, releases.digest, releases.vector, releases.coordinates, releases.restore):
        with pytest.raises(UsageError):
            call(number)
    with pytest.raises(UsageError):
        releases.newest()


def test_damaged_vectors_are_noticed(releases, tmp_path):
    release = first(releases)
    file = tmp_path / "releases" / release.vector_sha256
    file.write_bytes(bytes(11) + b"\x01")
    with pytest.raises(DamagedVaultError):
        releases.vector(0)
    file.unlink()
    with pytest.raises(DamagedVaultError):
        releases.vector(0)


def test_a_full_disk_leaves_no_record(log, tmp_path):
    (tmp_path / "releases").write_bytes(b"not a folder")
    with pytest.raises(StorageError):
        first(Releases(log, folder=tmp_path / "releases"))
    assert log.checkpoint().size == 0


def test_killed_between_vector_and_record(releases, path, key, tmp_path):
    """The vector is there, no release names it; the next attempt makes the release."""
    folder = tmp_path / "releases"
    folder.mkdir()
    (folder / hashlib.sha256(bytes(12)).hexdigest()).write_bytes(bytes(5))  # even half of it
    with LogStore(path, signing_key=key) as log:
        again = Releases(log, folder=folder)
        assert first(again).number == 0
        assert again.vector(0) == bytes(12)
    assert [file.name for file in folder.iterdir()] == [hashlib.sha256(bytes(12)).hexdigest()]
