"""Remakes client/hometone_client/base/data/stock_styles.npz from the public voice packs of npm's kokoro-js 1.2.1 (Apache-2.0).

Usage: npm pack kokoro-js@1.2.1 && tar xzf kokoro-js-1.2.1.tgz && python tools/make_stock_styles.py package/voices

Each pack is float32 [510, 1, 256], one row per number of tokens. Rows of one voice lie close together: with the mean of each voice taken
out, eight directions over the length, shared by all voices, rebuild every pack to within 1e-4 (root mean square), so that 28 MB become
0.25 MB.
"""

import sys
from pathlib import Path

import numpy as np

DIRECTIONS = 8


def main(folder: Path) -> None:
    """Write the table and say how exact it is."""
    names = sorted(path.stem for path in folder.glob("*.bin"))
    packs = np.stack([np.fromfile(folder / f"{name}.bin", dtype="<f4").reshape(510, 256) for name in names])
    mean = packs.mean(axis=1)
    residual = (packs - mean[:, None]).transpose(1, 0, 2).reshape(510, -1)
    left, singular, right = np.linalg.svd(residual, full_matrices=False)
    basis = left[:, :DIRECTIONS] * np.sqrt(510)
    coefficients = (singular[:DIRECTIONS, None] * right[:DIRECTIONS] / np.sqrt(510)).reshape(DIRECTIONS, len(names), 256).transpose(1, 0, 2)
    table = {"names": np.array(names), "mean": mean, "basis": basis, "coefficients": coefficients}
    table = {key: value if key == "names" else value.astype(np.float16) for key, value in table.items()}
    rebuilt = table["mean"].astype(np.float32)[:, None] + np.einsum(
        "lk,vkd->vld", table["basis"].astype(np.float32), table["coefficients"].astype(np.float32)
    )
    np.savez_compressed(Path(__file__).parents[1] / "client/hometone_client/base/data/stock_styles.npz", **table)
    sys.stdout.write(f"{len(names)} voices, error {np.sqrt(np.mean((rebuilt - packs) ** 2)):.6f} rms\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
