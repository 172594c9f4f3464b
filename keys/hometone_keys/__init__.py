"""The vault: identities, speaker secrets, recovery secrets, key slots, guests, sealed files, erasure by key destruction."""

from hometone_keys.custody import Custody, DeviceSecretSource
from hometone_keys.device import DeviceIdentity
from hometone_keys.entry import SpeakerEntry
from hometone_keys.erasure import ErasureReceipt
from hometone_keys.index import Artefact
from hometone_keys.pin import STANDARD_COST, Argon2Cost
from hometone_keys.speaker import SpeakerVault
from hometone_keys.vault import Vault

__all__ = [
    "STANDARD_COST",
    "Argon2Cost",
    "Artefact",
    "Custody",
    "DeviceIdentity",
    "DeviceSecretSource",
    "ErasureReceipt",
    "SpeakerEntry",
    "SpeakerVault",
    "Vault",
]
