"""Assemble every public weight of the catalogue into the model folder, saying what happens; quick when all are there."""

import sys
import time

from hometone_client.models import CATALOGUE, ensure, model_folder
from hometone_shared.errors import HometoneError


def main() -> int:
    """Assemble all; returns the exit code."""
    print(f"public weights: {len(CATALOGUE)} sets", flush=True)
    for number, name in enumerate(CATALOGUE, start=1):
        started = time.monotonic()
        try:
            ensure(name, progress=lambda step: print(f"    {step}", flush=True))
        except HometoneError as error:
            print(f"hometone: {error.message}\nhint: {error.hint}", file=sys.stderr)
            return error.exit_code
        print(f"  [{number}/{len(CATALOGUE)}] {name} ready after {time.monotonic() - started:.1f} s", flush=True)
    return 0 if model_folder().is_dir() else 1


if __name__ == "__main__":
    sys.exit(main())
