"""Where public, shareable weights lie on this machine.

The model folder holds nothing that belongs to a person: only third-party weights that anybody may have. It is therefore apart from
`--home` (all sealed) and may be shared by several users, put on a stick, or deleted and built again.
"""

import os
from pathlib import Path

import platformdirs

ENVIRONMENT_VARIABLE = "HOMETONE_MODELS"


def model_folder() -> Path:
    """Return the folder of public weights; it need not exist yet.

    Returns:
        The folder named by `HOMETONE_MODELS` when that is set and not empty, otherwise `models` in the user's cache folder for Hometone.
    """
    chosen = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("hometone", appauthor=False)) / "models"
