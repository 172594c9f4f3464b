"""Releases of the shared model that this laptop holds.

A release is taken from the pinned log, where it is signed, in its place in the chain, and on everybody's record; only its vector is
fetched, and trusted no further than its hash. Older ones are kept: voices that were made on them go on using them. What it may see:
public vectors. What it must never do: hand out a vector that it has not hashed just before.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hometone_client.federation.coordinator_records import CoordinatorRecords
from hometone_client.federation.log_audit import PinnedLog
from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_shared.errors import DamagedVaultError, ProtocolError, UsageError
from hometone_shared.records.release import Release

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
        """The newest release of the pinned log, held here or not; `None` before the first."""
        releases = self._log.releases().releases
        return releases[-1] if releases else None

    def held(self) -> tuple[Release, ...]:
        """The releases whose vectors are here, oldest first."""
        return tuple(each for each in self._log.releases().releases if self._file(each).exists())

    def newest(self) -> Release | None:
        """The newest release whose vector is here."""
        held = self.held()
        return held[-1] if held else None

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
            raise UsageError("there is no such release of the shared model")
        return releases[number]

    def fetch(self, records: CoordinatorRecords, *, number: int | None = None) -> Release:
        """Get a release's vector, unless it is here.

        Args:
            records: The coordinator's.
            number: Which; the newest of the pinned log if not given.

        Raises:
            UsageError: The pinned log has no such release.
            ProtocolError: The vector is not the one that was announced.
            FederationError: The coordinator cannot be reached.
        """
        release = self.release(len(self._log.releases().releases) - 1 if number is None else number)
        if not self._file(release).exists():
            data = records.vector(release.number, size_bytes=release.vector_bytes)
            release.check_vector(data)
            replace_small_file(self._file(release), data)
        return release

    def coordinates(self, number: int) -> NDArray[np.float32]:
        """The vector of a release that is held here: float32 [d], read-only.

        Raises:
            UsageError: It is not here.
        """
        release = self.release(number)
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
