"""Public third-party weights: the catalogue of what is used, and their assembly into the model folder."""

from hometone_client.models.assembly import ensure as ensure_entry
from hometone_client.models.catalogue import (
    BASE,
    CATALOGUE,
    OFFICIAL_BASE,
    ensure,
    entries_here,
    install_official_base,
    official_base_is_ready,
    packages_base,
    verify_all,
)
from hometone_client.models.folder import model_folder

__all__ = [
    "BASE",
    "CATALOGUE",
    "OFFICIAL_BASE",
    "ensure",
    "ensure_entry",
    "entries_here",
    "install_official_base",
    "model_folder",
    "official_base_is_ready",
    "packages_base",
    "verify_all",
]
