"""Who held something of a speaker: the withdrawal key says so, before it is destroyed (docs/withdrawal.md, section 2).

Without it any laptop of a coordinator could answer a tombstone in the place of the one that has not answered yet. A laptop signs this for
itself when it erases her, and for the machine to which it lends her voice; whoever asks that machine later finds it in its receipt. What it
may see: the withdrawal key while it signs. What it must never do: say when, or what, or for whom else.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hometone_shared.errors import ProtocolError

LABEL: Final = "hometone/holder/v1"
PROOF_BYTES: Final = 64


def _claim(role: str, device: str) -> bytes:
    return b"\x00".join((LABEL.encode(), role.encode(), bytes.fromhex(device)))


def holder_proof(key: Ed25519PrivateKey, *, role: str, device: str) -> bytes:
    """Say that a device is a holder.

    Args:
        key: The withdrawal key.
        role: `laptop` or `recipient`.
        device: Its id, 32 hexadecimal digits.

    Returns:
        A signature, 64 bytes.
    """
    return key.sign(_claim(role, device))


def check_holder(proof: bytes, *, withdrawal_key: bytes, role: str, device: str) -> None:
    """Refuse a device of which the withdrawal key does not say that it is a holder.

    Args:
        proof: As `holder_proof` made it.
        withdrawal_key: Raw public key, 32 bytes.
        role: What the device says that it is.
        device: Its id, 32 hexadecimal digits.

    Raises:
        ProtocolError: It does not.
    """
    try:
        Ed25519PublicKey.from_public_bytes(withdrawal_key).verify(proof, _claim(role, device))
    except (InvalidSignature, ValueError) as error:
        raise ProtocolError("nothing proves that who answers held anything of hers") from error
