"""Remake `sample/`: the two licensed speakers of `python3 run.py demo`.

What it reads: a folder of development recordings (`metadata.csv` with file, text, language, speaker, licence, seconds, split and
source_package) and the `copyright` file of the Debian package `asterisk-core-sounds-en-g722`, which carries both licences in full. What it
writes: the enrolment takes and about twenty seconds of held-out takes of each speaker, byte for byte, with texts and licences beside them.

    python tools/make_sample.py RECORDINGS COPYRIGHT
"""

import argparse
import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "sample"
HELD_OUT_S = 20.0
COLUMNS = ("file", "text", "language", "split", "seconds", "sample_rate_hz", "licence", "source_package")


@dataclass(frozen=True, slots=True)
class SampleSpeaker:
    """One person of the sample: where she is found, and what her licence asks us to say."""

    source: str
    folder: str
    licence: str
    attribution: str


SPEAKERS = (
    SampleSpeaker(
        source="ast_en_allison",
        folder="allison",
        licence="CC-BY-SA-3.0",
        attribution="Copyright 2003-2010 Allison Smith (http://www.theivrvoice.com); recording paid for by Digium, Inc.",
    ),
    SampleSpeaker(
        source="ast_it_carlo",
        folder="carlo",
        licence="CC-BY-3.0",
        attribution="Copyright 2012 Carlo Flora (http://www.carloflora.com); texts translated by Silvia Petrin.",
    ),
)


def licence_text(copyright_file: str, *, licence: str) -> str:
    """Cut one licence in full out of a Debian copyright file (format 1.0: paragraph `License: NAME`, indented body, ` .` for empty lines).

    Raises:
        ValueError: The file carries no full text of that licence.
    """
    longest: list[str] = []
    current: list[str] | None = None
    for line in [*copyright_file.splitlines(), "End: "]:
        if line.startswith(" ") and current is not None:
            current.append("" if line.strip() == "." else line[1:])
            continue
        if current is not None and len(current) > len(longest):
            longest = current
        current = [] if line.strip() == f"License: {licence}" else None
    if len(longest) < 100:
        message = f"no full text of {licence} in that file"
        raise ValueError(message)
    return "\n".join(longest).strip() + "\n"


def write_speaker(recordings: Path, *, speaker: SampleSpeaker, rows: list[dict[str, str]], licence: str) -> None:
    """Copy one speaker's takes and write `takes.csv`, `LICENCE.txt` and `ATTRIBUTION.txt` beside them."""
    target = SAMPLE / speaker.folder
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    kept: list[dict[str, str]] = []
    held_out_s = 0.0
    for row in rows:
        if row["split"] == "heldout":
            if held_out_s >= HELD_OUT_S:
                continue
            held_out_s += float(row["seconds"])
        elif row["split"] != "enrol":
            continue
        name = f"{row['split']}-{len(kept):02d}.flac"
        shutil.copyfile(recordings / row["file"], target / name)
        kept.append({**row, "file": name, "sample_rate_hz": row["sample_rate"]})
    with (target / "takes.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    (target / "LICENCE.txt").write_text(licence, encoding="utf-8")
    (target / "ATTRIBUTION.txt").write_text(
        f"{speaker.attribution}\nLicence: {speaker.licence}, in full in LICENCE.txt. Source: Debian package {kept[0]['source_package']}.\n"
        "Changes: selected, decoded from G.722, stored as FLAC at 16 kHz.\n",
        encoding="utf-8",
    )


def main() -> None:
    """Read the two arguments and write the sample."""
    parser = argparse.ArgumentParser(description="remake sample/ from the development recordings")
    parser.add_argument("recordings", type=Path, help="folder with metadata.csv and one folder a speaker")
    parser.add_argument("copyright", type=Path, help="copyright file of Debian's asterisk-core-sounds-en-g722")
    arguments = parser.parse_args()
    with (arguments.recordings / "metadata.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    licences = arguments.copyright.read_text(encoding="utf-8")
    for speaker in SPEAKERS:
        own = [row for row in rows if row["speaker"] == speaker.source]
        write_speaker(arguments.recordings, speaker=speaker, rows=own, licence=licence_text(licences, licence=speaker.licence))


if __name__ == "__main__":
    main()
