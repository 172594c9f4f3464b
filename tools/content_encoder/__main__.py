"""Rebuilds the posterior encoder and the table of natural variation that Hometone carries.

    python -m tools.content_encoder --cache FOLDER [--hours 1] [--steps 1400] [--processes 2]

Three stages, each resumable: the corpus (shards in FOLDER; 45 CPU-s a minute of speech), training (a checkpoint in FOLDER), export into
client/hometone_client/content/data with its checksum. On two cores an hour of speech takes about 25 minutes and training as long again.
Sums over floating-point numbers differ between machines, so a rebuilt network agrees in figures and not in bytes.
"""

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

from tools.content_encoder.corpus import SHARD_S, Speaker, path_of, read_shard, write_shard
from tools.content_encoder.exporting import export, pin
from tools.content_encoder.learning import learn
from tools.content_encoder.spreads import content_spread, prosody_spread, write
from tools.content_encoder.training import Examples

from hometone_client.base.runtime import BaseRuntime
from hometone_client.models import ensure

CONTENT = Path(__file__).parents[2] / "client/hometone_client/content"
_SPREAD_SHARDS = 10


def speak(cache: Path, numbers: list[int]) -> None:
    """Make the shards that are missing among these."""
    missing = [number for number in numbers if not path_of(cache, number).exists()]
    if not missing:
        return
    speaker, began = Speaker(threads=1), time.monotonic()
    for done, number in enumerate(missing, start=1):
        write_shard(cache, number, speaker.shard(number))
        left_s = (time.monotonic() - began) / done * (len(missing) - done)
        sys.stdout.write(f"shard {number}, {left_s / 60:.0f} min left\n")
        sys.stdout.flush()


def main() -> None:
    """All three stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="for shards and the checkpoint, about 15 MB a minute of speech")
    parser.add_argument("--hours", type=float, default=1.0, help="of synthetic speech")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--processes", type=int, default=2, help="that speak at the same time")
    chosen = parser.parse_args()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    numbers = list(range(max(1, round(chosen.hours * 3600 / SHARD_S))))
    speakers = [
        multiprocessing.get_context("spawn").Process(target=speak, args=(chosen.cache, numbers[first :: chosen.processes]))
        for first in range(chosen.processes)
    ]
    for process in speakers:
        process.start()
    for process in speakers:
        process.join()
    if any(process.exitcode for process in speakers):
        raise SystemExit("making the corpus failed; the same command goes on from here")
    spoken = [each for number in numbers for each in read_shard(chosen.cache, number)]
    network = learn(spoken, steps=chosen.steps, checkpoint=chosen.cache / "checkpoint.pt")
    checksum = export(network, CONTENT / "data" / "posterior.onnx")
    pin(checksum, CONTENT / "posterior.py")
    base = BaseRuntime(ensure("kokoro-82m-v1.0"))
    known = Examples([each for number in numbers[:_SPREAD_SHARDS] for each in read_shard(chosen.cache, number)], seed=0)
    write(CONTENT / "data" / "variation.npz", prosody_spread(base) | content_spread(network, known))
    sys.stdout.write(f"posterior.onnx {checksum}\n")


if __name__ == "__main__":
    main()
