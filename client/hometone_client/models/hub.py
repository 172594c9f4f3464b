"""Downloads the official base voice from the hub: the only module that fetches weights from another machine.

Called by `hometone doctor --fetch-base` and by nothing else. It asks for one public file of one pinned revision, without any account;
the hub learns the address of this computer and that it wants this file. What arrives is trusted no further than its pinned SHA-256
(`catalogue.install_official_base`).
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hometone_client.models.assembly import Progress
from hometone_client.models.catalogue import OFFICIAL_BASE
from hometone_shared.errors import ModelError, StorageError

REPOSITORY: Final = "hexgrad/Kokoro-82M"
REVISION: Final = "f3ff3571791e39611d31c381e3a41a3af07b4987"


@contextmanager
def downloaded_checkpoint(folder: Path, *, progress: Progress) -> Iterator[Path]:
    """Download the official checkpoint beside the models; it is gone again when the block ends.

    Args:
        folder: The model folder; made when it does not exist.
        progress: Told what is being done.

    Yields:
        The file, not verified yet.

    Raises:
        ModelError: The hub cannot be reached, or does not have the file.
        StorageError: The model folder cannot be written.
    """
    (pinned,) = OFFICIAL_BASE.files
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".download-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"the model folder cannot be written: {error.strerror or 'the disk refuses'}",
            hint="free some disk space, or choose another folder with the environment variable HOMETONE_MODELS",
        ) from error
    with scratch as name:
        progress(f"downloading {pinned.name} of {REPOSITORY}, {pinned.size_bytes / 1e6:.0f} MB")
        yield _download(pinned.name, Path(name))


def _download(name: str, destination: Path) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # only the command prints
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    try:
        return Path(hf_hub_download(REPOSITORY, name, revision=REVISION, local_dir=destination, token=False))
    except Exception as error:  # the library raises its own errors, its transport's and the system's
        raise ModelError(
            f"{name} could not be downloaded ({type(error).__name__})",
            hint=f"download it from {REPOSITORY} elsewhere, bring it here, and use hometone doctor --base-from FILE",
        ) from error
