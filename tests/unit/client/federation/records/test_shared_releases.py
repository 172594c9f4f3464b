"""Releases on the laptop: only what the log announced, hashed whenever it is used, and older ones stay."""

import numpy as np
import pytest

from hometone_client.federation.shared_releases import SharedReleases
from hometone_shared.errors import DamagedVaultError, FederationError, ProtocolError, UsageError

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
