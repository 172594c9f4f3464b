"""The proof after forgetting: pieces of what a speaker had are looked for in every byte that is left (requirement 47).

What it may see: an unlocked speaker just before she is forgotten, and files afterwards. What it must never do: write a canary anywhere.

1. Before: take distinctive pieces of recordings (as FLAC bytes, as float32 and as int16 samples), of the voice (its arrays as float32),
   and the texts.
2. Write each piece as it is and as base64 in its three alignments.
3. After: read every file under the folder in blocks that overlap, and look for all of them. Without canaries (nobody gave the PIN) the
   scan still looks for the first bytes of sound files and of weight containers, which a sealed folder never shows in that place.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from hometone_client.speakers.room import OWN, SpeakerRoom

_PIECE_BYTES: Final = 48
_BLOCK_BYTES: Final = 1 << 20
_PIECES_A_TAKE: Final = 4
_SHORTEST_TEXT: Final = 12
_MAGIC: Final = (b"fLaC", b"RIFF", b"OggS", b"ID3\x03", b"ID3\x04", b'{"__metadata__"')


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan saw.

    Attributes:
        files: Files that were read.
        size_bytes: Bytes that were read.
        canaries: Pieces that were looked for.
        found: How many of them were found, which must be 0.
        clear_files: Files that begin like a sound file or a weight container, which must be 0.
    """

    files: int
    size_bytes: int
    canaries: int
    found: int
    clear_files: int

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return self.found == 0 and self.clear_files == 0


def _pieces(data: bytes, *, count: int) -> Iterator[bytes]:
    """Evenly spread pieces with some variety in them; silence and zeros would be found anywhere."""
    step = max(_PIECE_BYTES, len(data) // (count + 1))
    for start in range(step, len(data) - _PIECE_BYTES + 1, step):
        piece = data[start : start + _PIECE_BYTES]
        if len(set(piece)) >= _PIECE_BYTES // 4:
            yield piece


def _written(piece: bytes) -> Iterator[bytes]:
    """(2) The piece as it is, and what of it is certain to stand in a base64 text at each alignment."""
    yield piece
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + piece)
        yield encoded[4 if shift else 0 : (len(encoded) // 4 - 1) * 4]


def collect_canaries(room: SpeakerRoom) -> frozenset[bytes]:
    """(1) Pieces of everything that an unlocked speaker has."""
    found: set[bytes] = set()
    for record, take in room.recordings():
        flac = room.vault.read("take", record.name)
        floats = take.samples.astype("<f4").tobytes()
        levels = np.rint(take.samples * 32767.0).astype("<i2").tobytes()
        for data in (flac, floats, levels):
            found.update(_pieces(data, count=_PIECES_A_TAKE))
        text = record.text.encode()
        if len(text) >= _SHORTEST_TEXT:
            found.add(text)
    if room.has_voice:
        found.update(_pieces(room.vault.read("voice", OWN), count=64))
        found.update(_pieces(room.voice().style.astype("<f4").tobytes(), count=16))
    for artefact in room.vault.list("embedding"):
        found.update(_pieces(room.vault.read("embedding", artefact.name), count=16))
    for artefact in room.vault.list("listening-clip"):
        found.update(_pieces(room.vault.read("listening-clip", artefact.name), count=16))
    for artefact in room.vault.list("checkpoint"):
        found.update(_pieces(room.vault.read("checkpoint", artefact.name), count=64))
    return frozenset(piece for canary in found for piece in _written(canary))


def scan(folder: Path, canaries: Iterable[bytes]) -> ScanReport:
    """(3) Look for canaries in every file under a folder; a file that vanishes meanwhile holds nothing any more."""
    wanted = sorted(set(canaries))
    overlap = max(map(len, wanted), default=1) - 1
    files = size_bytes = clear = 0
    seen: set[bytes] = set()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        files += 1
        tail = b""
        try:
            with path.open("rb") as source:
                first = True
                while block := source.read(_BLOCK_BYTES):
                    if (first and block.startswith(_MAGIC)) or b'{"__metadata__"' in block[:32]:
                        clear += 1
                    first = False
                    size_bytes += len(block)
                    window = tail + block
                    seen.update(canary for canary in wanted if canary not in seen and canary in window)
                    tail = window[-overlap:] if overlap else b""
        except FileNotFoundError:
            continue
    return ScanReport(files=files, size_bytes=size_bytes, canaries=len(wanted), found=len(seen), clear_files=clear)
