"""Releases on the laptop: only what the log announced, hashed whenever it is used, and older ones stay."""

import httpx
import numpy as np
import pytest

from hometone_client.federation.shared_releases import SharedReleases
from hometone_shared.errors import DamagedVaultError, FederationError, ProtocolError, StorageError, UsageError
from hometone_shared.records.release import ReleaseStatus
from hometone_shared.records.withdrawn_releases import WithdrawnReleases

BASE, BASIS = "ab" * 32, "cd" * 32


@pytest.fixture
def releases(folder, pinned):
    return SharedReleases(folder, log=pinned)


def publish(coordinator, vector, number):
    plan = {"plan_sha256": f"{number:064x}", "run": "1" * 16, "round_number": number} if number else {}
    return coordinator.releases.publish(np.asarray(vector, dtype=np.float32), base_sha256=BASE, basis_sha256=BASIS, **plan)


def test_fetching(coordinator, pinned, releases):
    assert releases.announced() is None
    assert releases.newest() is None
    published = [publish(coordinator, [number, 2, 3], number) for number in range(3)]
    pinned.update(coordinator.records())
    assert releases.announced() == published[2]
    assert releases.newest() is None
    assert releases.fetch(coordinator.records()) == published[2]
    assert releases.newest() == published[2]
    assert np.array_equal(releases.coordinates(2), [2, 2, 3])
    assert not releases.coordinates(2).flags.writeable
    assert releases.digest(1) == coordinator.releases.digest(1)
    with pytest.raises(UsageError, match="not on this laptop"):
        releases.coordinates(0)
    releases.fetch(coordinator.records(), number=0)
    assert releases.held() == (published[0], published[2])


def test_older_ones_stay(coordinator, pinned, releases):
    for number in range(4):
        publish(coordinator, [number], number)
        pinned.update(coordinator.records())
        releases.fetch(coordinator.records())
    assert [each.number for each in releases.held()] == [0, 1, 2, 3]
    assert [float(releases.coordinates(number)[0]) for number in range(4)] == [0, 1, 2, 3]


def test_going_back_needs_no_download(coordinator, pinned, releases):
    publish(coordinator, [1], 0)
    publish(coordinator, [2], 1)
    coordinator.releases.restore(0)
    pinned.update(coordinator.records())
    releases.fetch(coordinator.records(), number=0)
    coordinator.bridge.asked.clear()
    assert releases.fetch(coordinator.records()).restores == 0
    assert coordinator.bridge.asked == []
    assert float(releases.coordinates(2)[0]) == 1


def test_what_is_here_is_not_fetched_again(coordinator, pinned, releases):
    publish(coordinator, [1], 0)
    pinned.update(coordinator.records())
    for _ in range(2):
        releases.fetch(coordinator.records())
    assert len([path for _, path, _ in coordinator.bridge.asked if path == "/releases/0/vector"]) == 1


@pytest.mark.parametrize("change", [lambda body: body[:-1], lambda body: bytes(len(body)), lambda body: body + b"x", lambda body: b""])
def test_another_vector_is_refused(coordinator, pinned, releases, folder, change):
    publish(coordinator, [1, 2], 0)
    pinned.update(coordinator.records())
    coordinator.bridge.after = lambda request, body: change(body) if request.url.path.endswith("vector") else body
    with pytest.raises(ProtocolError):
        releases.fetch(coordinator.records())
    assert releases.held() == ()
    assert not (folder / "releases").exists()


def test_releases_that_the_log_does_not_know(coordinator, pinned, releases):
    publish(coordinator, [1], 0)
    for number in (None, 0, 1, -1):
        with pytest.raises(UsageError):
            releases.fetch(coordinator.records(), number=number)
    for call in (releases.coordinates, releases.digest, releases.release):
        with pytest.raises(UsageError):
            call(0)


def test_a_coordinator_without_the_file(coordinator, pinned, releases):
    release = publish(coordinator, [1], 0)
    pinned.update(coordinator.records())
    (coordinator.home.releases / release.vector_sha256).unlink()
    with pytest.raises(FederationError, match="has a problem"):
        releases.fetch(coordinator.records())


def test_damage_on_the_laptop_is_noticed(coordinator, pinned, releases, folder):
    release = publish(coordinator, [1, 2], 0)
    pinned.update(coordinator.records())
    releases.fetch(coordinator.records())
    (folder / "releases" / release.vector_sha256).write_bytes(bytes(8))
    with pytest.raises(DamagedVaultError):
        releases.coordinates(0)


def withdraw(coordinator, *numbers, replaced_by):
    record = WithdrawnReleases(releases=numbers, replaced_by=replaced_by)
    coordinator.log.append(record.signed(coordinator.key))


@pytest.fixture
def replayed(coordinator, pinned, releases):
    """Releases 0 to 2; 3 restores 0, 4 and 5 repeat; all that can be are held."""
    for number in range(3):
        publish(coordinator, [number, 1], number)
    coordinator.releases.restore(0, run="2" * 16, status=ReleaseStatus.PROVISIONAL)
    for number, status in ((4, ReleaseStatus.PROVISIONAL), (5, ReleaseStatus.CURRENT)):
        plan = {"plan_sha256": f"{number:064x}", "run": "2" * 16, "round_number": number - 3}
        coordinator.releases.publish(np.asarray([number, 1], dtype=np.float32), base_sha256=BASE, basis_sha256=BASIS, status=status, **plan)
    pinned.update(coordinator.records())
    for number in range(6):
        releases.fetch(coordinator.records(), number=number)
    return releases


def test_provisional_releases_are_learnt_from_and_are_never_the_newest(coordinator, pinned, releases):
    publish(coordinator, [1], 0)
    publish(coordinator, [2], 1)
    coordinator.releases.restore(0, run="2" * 16, status=ReleaseStatus.PROVISIONAL)
    pinned.update(coordinator.records())
    for number in range(3):
        releases.fetch(coordinator.records(), number=number)
    assert releases.announced().number == releases.newest().number == 1
    assert float(releases.coordinates(2)[0]) == 1
    assert releases.fetch(coordinator.records()).number == 1


def test_withdrawn_releases_are_gone_whether_their_files_are_or_not(coordinator, pinned, replayed, folder):
    assert replayed.withdrawn_vectors() == frozenset()
    assert replayed.drop_withdrawn() == 0
    withdraw(coordinator, 1, 2, replaced_by=5)
    pinned.update(coordinator.records())
    files = {path.name for path in (folder / "releases").iterdir()}
    assert len(files) == 5
    assert [each.number for each in replayed.held()] == [0, 3, 4, 5]
    assert replayed.newest().number == replayed.announced().number == 5
    for number in (1, 2):
        with pytest.raises(UsageError, match="was withdrawn"):
            replayed.coordinates(number)
    assert {path.name for path in (folder / "releases").iterdir()} == files
    assert replayed.drop_withdrawn() == 2
    assert replayed.drop_withdrawn() == 0
    for number in (0, 3, 4, 5):
        replayed.coordinates(number)
    for number in (1, 2):
        with pytest.raises(ProtocolError, match="was withdrawn"):
            replayed.fetch(coordinator.records(), number=number)
    assert len({path.name for path in (folder / "releases").iterdir()}) == 3


def test_fetching_anything_deletes_what_was_withdrawn(coordinator, pinned, replayed, folder):
    withdraw(coordinator, 1, 2, replaced_by=5)
    pinned.update(coordinator.records())
    replayed.fetch(coordinator.records())
    assert len({path.name for path in (folder / "releases").iterdir()}) == 3


def test_a_vector_that_a_living_release_has_too_stays(coordinator, pinned, replayed):
    withdraw(coordinator, 3, 4, replaced_by=5)
    pinned.update(coordinator.records())
    assert replayed.drop_withdrawn() == 1
    assert float(replayed.coordinates(0)[0]) == 0


def test_bringing_a_withdrawn_release_back_brings_nothing_back(coordinator, pinned, replayed):
    coordinator.releases.restore(2)
    withdraw(coordinator, 1, 2, replaced_by=5)
    pinned.update(coordinator.records())
    assert replayed.newest().number == 5
    with pytest.raises(UsageError, match="was withdrawn"):
        replayed.coordinates(6)


def test_a_disk_that_deletes_nothing_says_so_and_hands_out_nothing(coordinator, pinned, replayed, monkeypatch):
    withdraw(coordinator, 1, 2, replaced_by=5)
    pinned.update(coordinator.records())

    def refuse(_path):
        raise PermissionError

    with monkeypatch.context() as broken:
        broken.setattr(type(replayed._folder), "unlink", refuse)
        with pytest.raises(StorageError, match="cannot be deleted"):
            replayed.drop_withdrawn()
    with pytest.raises(UsageError, match="was withdrawn"):
        replayed.coordinates(1)
    assert replayed.drop_withdrawn() == 2


def test_following_deletes_and_fetches_what_replaces(coordinator, pinned, replayed, folder):
    assert replayed.follow(coordinator.records()) == 0
    withdraw(coordinator, 1, 2, replaced_by=5)
    plan = {"plan_sha256": f"{6:064x}", "run": "3" * 16, "round_number": 1}
    newer = coordinator.releases.publish(np.asarray([6, 1], dtype=np.float32), base_sha256=BASE, basis_sha256=BASIS, **plan)
    pinned.update(coordinator.records())
    coordinator.bridge.before = lambda request: (
        httpx.Response(500, stream=httpx.ByteStream(b"{}")) if request.url.path.endswith("vector") else None
    )
    assert replayed.follow(coordinator.records()) == 2
    assert replayed.newest().number == 5
    coordinator.bridge.before = lambda _request: None
    assert replayed.follow(coordinator.records()) == 0
    assert replayed.newest() == newer
