"""Releases of the shared model that this laptop holds.

A release is taken from the pinned log, where it is signed, in its place in the chain, and on everybody's record; only its vector is
fetched, and trusted no further than its hash. Older ones are kept: voices that were made on them go on using them.

Releases that the log withdraws (docs/withdrawal.md, section 6) are gone from the moment on that the pinned log says so: they are never
listed, fetched or handed out, whether their file is still there or not, and the file goes the next time that anything is fetched or
`drop_withdrawn` is called. A vector that a living release has, too, stays. Provisional releases, over which a replay is on its way, can be
fetched and learnt from; they are never the newest one.

What it may see: public vectors. What it must never do: hand out a vector that it has not hashed just before, or a withdrawn one.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.federation.coordinator_records import CoordinatorRecords
from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_shared.errors import DamagedVaultError, FederationError, ProtocolError, StorageError, UsageError
from hometone_shared.records.release import Release, ReleaseStatus

FOLDER: Final = "releases"


class SharedReleases:
    """The releases of one coordinator.

    Raises:
        StorageError: From every method, when the disk refuses.
        DamagedVaultError: From every method, when a kept file is not what was written.
    """

    def __init__(self, folder: Path, *, log: PinnedLog) -> None:
        """Look into a folder.

        Args:
            folder: `<home>/federation`.
            log: The pinned log.
        """
        self._folder = folder / FOLDER
        self._log = log

    def announced(self) -> Release | None:
        """The newest release of the pinned log on which voices may be made, held here or not; `None` before the first."""
        withdrawn = self.withdrawn()
        return next((each for each in reversed(self._log.releases().releases) if _is_current(each) and each.number not in withdrawn), None)

    def held(self) -> tuple[Release, ...]:
        """The releases whose vectors are here, oldest first; withdrawn ones are not among them."""
        withdrawn = self.withdrawn()
        return tuple(each for each in self._log.releases().releases if each.number not in withdrawn and self._file(each).exists())

    def newest(self) -> Release | None:
        """The newest release whose vector is here and on which voices may be made."""
        return next((each for each in reversed(self.held()) if _is_current(each)), None)

    def withdrawn(self) -> frozenset[int]:
        """Numbers of the releases that the log has withdrawn, and of those that bring one of them back."""
        found = set(self._log.tombstones().withdrawn_releases)
        if found:
            found.update(each.number for each in self._log.releases().releases if each.restores in found)
        return frozenset(found)

    def withdrawn_vectors(self) -> frozenset[str]:
        """Hashes of the vectors of withdrawn releases; those that a living release has, too, are not among them."""
        withdrawn = self.withdrawn()
        if not withdrawn:
            return frozenset()
        releases = self._log.releases().releases
        living = {each.vector_sha256 for each in releases if each.number not in withdrawn}
        return frozenset(each.vector_sha256 for each in releases if each.number in withdrawn) - living

    def drop_withdrawn(self) -> int:
        """Delete the vectors of withdrawn releases; once more changes nothing.

        Returns:
            How many files.

        Raises:
            StorageError: The disk refuses; what is left goes the next time, and is handed out to nobody until then.
        """
        gone = 0
        for vector_sha256 in self.withdrawn_vectors():
            path = self._folder / vector_sha256
            try:
                if path.exists():
                    path.unlink()
                    gone += 1
            except FileNotFoundError:
                continue  # another process of this laptop was faster
            except OSError as error:
                raise StorageError("a withdrawn release cannot be deleted", hint="check the permissions of the data folder") from error
        return gone

    def digest(self, number: int) -> str:
        """Digest of a release's envelope, as plans name it.

        Raises:
            UsageError: The pinned log has no such release.
        """
        self.release(number)
        return self._log.releases().digests[number]

    def release(self, number: int) -> Release:
        """A release of the pinned log, held here or not.

        Raises:
            UsageError: It has no such release.
        """
        releases = self._log.releases().releases
        if not 0 <= number < len(releases):
            raise _no_such_release()
        return releases[number]

    def fetch(self, records: CoordinatorRecords, *, number: int | None = None) -> Release:
        """Get a release's vector, unless it is here.

        Args:
            records: The coordinator's.
            number: Which; the newest on which voices may be made if not given.

        Raises:
            UsageError: The pinned log has no such release.
            ProtocolError: The vector is not the one that was announced, or the release was withdrawn.
            FederationError: The coordinator cannot be reached.
            StorageError: The disk refuses.
        """
        release = self.announced() if number is None else self.release(number)
        if release is None:
            raise _no_such_release()
        self.drop_withdrawn()
        if release.number in self.withdrawn():
            raise ProtocolError("this release of the shared model was withdrawn")
        if not self._file(release).exists():
            data = records.vector(release.number, size_bytes=release.vector_bytes)
            release.check_vector(data)
            replace_small_file(self._file(release), data)
        return release

    def follow(self, records: CoordinatorRecords) -> int:
        """Do what the log says about withdrawn releases: delete their vectors, and fetch what replaces them, if that can be had now.

        Args:
            records: The coordinator's.

        Returns:
            How many files were deleted.

        Raises:
            StorageError: The disk refuses.
        """
        gone = self.drop_withdrawn()
        if self.withdrawn_vectors():
            with suppress(FederationError, ProtocolError):  # until the next contact voices speak with what is here
                self.fetch(records)
        return gone

    def coordinates(self, number: int) -> NDArray[np.float32]:
        """The vector of a release that is held here: float32 [d], read-only.

        Raises:
            UsageError: It is not here, or it was withdrawn.
        """
        release = self.release(number)
        if number in self.withdrawn():
            raise UsageError("this release of the shared model was withdrawn", hint="somebody whose voice was in it has left")
        data = read_small_file(self._file(release))
        if data is None:
            raise UsageError("this release of the shared model is not on this laptop", hint="fetch it while the coordinator can be reached")
        try:
            release.check_vector(data)
        except ProtocolError as error:
            raise DamagedVaultError(
                "a release of the shared model is damaged on this laptop", hint="delete it and fetch it again"
            ) from error
        return np.frombuffer(data, dtype="<f4")

    def _file(self, release: Release) -> Path:
        return self._folder / release.vector_sha256


def _is_current(release: Release) -> bool:
    return release.status is ReleaseStatus.CURRENT


def _no_such_release() -> UsageError:
    return UsageError("there is no such release of the shared model")
