"""Releases of the shared model: their records in the log, their vectors as files named by their hash.

A vector is on the disk, whole, before the log speaks of it; a file that no release names (a process was killed in between) is in nobody's
way and is used when the same vector comes again. Records of releases are never removed, and vectors only when a replay has withdrawn them
(docs/withdrawal.md, section 6). What it may see: sums that have been decoded and are public from then on. What it must never do: keep a
vector that holds NaN or infinity, or one of another length, or give out a withdrawn one.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from hometone_server.home import CoordinatorHome, write_private
from hometone_server.records.store import LogStore, Writing
from hometone_shared.errors import DamagedVaultError, ProtocolError, StorageError, UsageError
from hometone_shared.records import withdrawn_releases
from hometone_shared.records.release import KIND, NOTHING_SHA256, Release, ReleaseChain, ReleaseStatus
from hometone_shared.records.signing import Envelope
from hometone_shared.records.withdrawn_releases import WithdrawnReleases

_NO_RUN: Final = "0" * 16


class Releases:
    """The releases of a log."""

    def __init__(self, log: LogStore, *, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Read and write through `log`.

        Args:
            log: The log.
            folder: Where the vectors are; made when it is not there.
            clock: Seconds since 1970.
        """
        self._log = log
        self._folder = folder
        self._clock = clock

    @classmethod
    def open(cls, home: CoordinatorHome, log: LogStore) -> Self:
        """The releases of a coordinator's folder."""
        return cls(log, folder=home.releases)

    def chain(self) -> ReleaseChain:
        """All releases with their digests, in order."""
        return ReleaseChain.from_entries(self._log.of_kind(KIND), self._log.key)

    def newest(self) -> Release:
        """The newest current release: what a replay has made on its way does not count.

        Raises:
            UsageError: There is none yet.
        """
        return self.chain().newest_current or self._missing()

    def withdrawn(self) -> frozenset[int]:
        """Numbers of the releases that replays have withdrawn."""
        found = self._log.of_kind(withdrawn_releases.KIND)
        return frozenset(number for each in found for number in WithdrawnReleases.from_envelope(each, key=self._log.key).releases)

    def release(self, number: int) -> Release:
        """A release.

        Raises:
            UsageError: There is no such release.
        """
        return self._existing(number) if number >= 0 else self._missing()

    def digest(self, number: int) -> str:
        """Digest of a release's envelope, as plans name it.

        Raises:
            UsageError: There is no such release.
        """
        return self.envelope(number).digest

    def envelope(self, number: int) -> Envelope:
        """The signed record of a release.

        Raises:
            UsageError: There is no such release.
        """
        envelopes = self._log.of_kind(KIND)
        return envelopes[number] if 0 <= number < len(envelopes) else self._missing()

    def of_plan(self, plan_sha256: str) -> Release | None:
        """The release that the round of a plan made, if it made one."""
        return next((release for release in self.chain().releases if release.plan_sha256 == plan_sha256 != NOTHING_SHA256), None)

    def vector(self, number: int) -> bytes:
        """The coordinates of a release: float32, little-endian, [d].

        Raises:
            UsageError: There is no such release, or it was withdrawn.
            DamagedVaultError: The file is not the one that was released.
        """
        release = self.release(number)
        if number in self.withdrawn():
            raise UsageError("this release of the shared model was withdrawn", hint="the log says which one replaces it")
        try:
            data = (self._folder / release.vector_sha256).read_bytes()
            release.check_vector(data)
        except (OSError, ProtocolError) as error:
            raise DamagedVaultError("the vector of a release is damaged", hint="restore the folder from a backup") from error
        return data

    def coordinates(self, number: int) -> NDArray[np.float32]:
        """The same as an array, float32 [d], read-only.

        Raises:
            UsageError: There is no such release.
            DamagedVaultError: The file is not the one that was released.
        """
        return np.frombuffer(self.vector(number), dtype="<f4")

    def publish(
        self,
        coordinates: NDArray[np.float32],
        *,
        base_sha256: str,
        basis_sha256: str,
        plan_sha256: str = NOTHING_SHA256,
        run: str = _NO_RUN,
        round_number: int = 0,
        status: ReleaseStatus = ReleaseStatus.CURRENT,
    ) -> Release:
        """Make a release, durably. The same plan once more gives the release it made before.

        Args:
            coordinates: The vector, [d]; float32 is what is kept.
            base_sha256: The base voice.
            basis_sha256: The basis of the coordinates.
            plan_sha256: Digest of the plan whose round this is; zeros for the first release.
            run: The campaign.
            round_number: The round in it; 0 without a plan.
            status: Whether it is what the shared model is now, or a replay is on its way over it.

        Raises:
            ProtocolError: A field is not what it should be, or the vector is not finite.
            StorageError: The disk refuses.
        """
        data = np.ascontiguousarray(coordinates, dtype="<f4").tobytes()
        if coordinates.ndim != 1 or not np.isfinite(np.frombuffer(data, dtype="<f4")).all():
            raise ProtocolError("a release is not a vector of finite numbers")
        vector_sha256 = hashlib.sha256(data).hexdigest()
        write_private(self._folder / vector_sha256, data)
        with self._log.writing() as change:
            chain = self._chain_of(change)
            for release in chain.releases:
                if release.plan_sha256 == plan_sha256 != NOTHING_SHA256:
                    return release
            return self._append(
                change,
                Release(
                    number=len(chain.releases),
                    parent_sha256=chain.digests[-1] if chain.digests else NOTHING_SHA256,
                    base_sha256=base_sha256,
                    basis_sha256=basis_sha256,
                    dimension=len(coordinates),
                    vector_sha256=vector_sha256,
                    plan_sha256=plan_sha256,
                    run=run,
                    round_number=round_number,
                    created=int(self._clock()),
                    status=status,
                ),
            )

    def restore(self, number: int, *, run: str | None = None, status: ReleaseStatus = ReleaseStatus.CURRENT) -> Release:
        """Go back to an older release, by a new one with the same vector.

        Args:
            number: Of the older one.
            run: The campaign that goes back; that of the older one if not given.
            status: As in `publish`.

        Raises:
            UsageError: There is no such release, it was withdrawn, or it is the newest.
            DamagedVaultError: Its vector is not the one that was released.
        """
        self.vector(number)
        with self._log.writing() as change:
            chain = self._chain_of(change)
            if number == len(chain.releases) - 1:
                raise UsageError("this is the newest release already")
            old = chain.releases[number]
            return self._append(
                change,
                Release(
                    number=len(chain.releases),
                    parent_sha256=chain.digests[-1],
                    base_sha256=old.base_sha256,
                    basis_sha256=old.basis_sha256,
                    dimension=old.dimension,
                    vector_sha256=old.vector_sha256,
                    plan_sha256=NOTHING_SHA256,
                    run=old.run if run is None else run,
                    round_number=0,
                    created=int(self._clock()),
                    restores=number,
                    status=status,
                ),
            )

    def drop_withdrawn(self) -> int:
        """Remove the vectors of withdrawn releases, and files that no release names; whoever calls holds the lock of campaigns.

        A vector that a living release has, too, stays.

        Returns:
            How many files.

        Raises:
            StorageError: The disk refuses; what is left goes the next time.
        """
        withdrawn = self.withdrawn()
        kept = {release.vector_sha256 for release in self.chain().releases if release.number not in withdrawn}
        try:
            left = [path for path in self._folder.iterdir() if path.name not in kept]
            for path in left:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError("a withdrawn release cannot be removed", hint="check the permissions of the folder") from error
        return len(left)

    def _chain_of(self, change: Writing) -> ReleaseChain:
        return ReleaseChain.from_entries(change.of_kind(KIND), self._log.key)

    def _append(self, change: Writing, release: Release) -> Release:
        change.append(release.signed(change.signing_key))
        return release

    def _existing(self, number: int) -> Release:
        try:
            return self.chain().releases[number]
        except IndexError:
            return self._missing()

    def _missing(self) -> NoReturn:
        raise UsageError("there is no such release")
