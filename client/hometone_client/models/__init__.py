"""Public third-party weights: the catalogue of what is used, and their assembly into the model folder."""

from hometone_client.models.catalogue import CATALOGUE, ensure, verify_all
from hometone_client.models.folder import model_folder

__all__ = ["CATALOGUE", "ensure", "model_folder", "verify_all"]
