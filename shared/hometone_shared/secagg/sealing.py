"""A pair of shares on its way to its holder: HPKE base mode (RFC 9180) under the holder's key of this round (docs/protocol.md, section 6).

The coordinator carries the sealed bytes; the `info` binds them to plan, roster, giver and holder, so that they open nowhere else.
"""

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from hometone_shared.errors import ProtocolError
from hometone_shared.secagg.shamir import SHARE_BYTES, checked_share

SEALED_BYTES: Final = 32 + 2 * SHARE_BYTES + 16
_LABEL: Final = b"hometone/share/v1"
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True, repr=False)
class SharePair:
    """What one holder keeps of one device: 33 bytes each. Never shown: it has no repr of its own.

    Attributes:
        self_mask: Share of the self-mask seed.
        mask_key: Share of the private mask key.
    """

    self_mask: bytes
    mask_key: bytes


def seal(pair: SharePair, *, key: bytes, context: bytes, giver: str, holder: str) -> bytes:
    """Close a pair of shares.

    Args:
        pair: The shares.
        key: The holder's X25519 public key for sealing, raw.
        context: `P || R`, 64 bytes.
        giver: Id of the device whose secrets are shared.
        holder: Id of the device that may open them.

    Returns:
        114 bytes, enc || ciphertext.

    Raises:
        ProtocolError: The key is one that gives everybody the same secret.
    """
    try:
        return _SUITE.encrypt(
            pair.self_mask + pair.mask_key, X25519PublicKey.from_public_bytes(key), info=_info(context, giver=giver, holder=holder)
        )
    except ValueError as error:
        raise ProtocolError("a key for sealing shares is worthless") from error


def unseal(sealed: bytes, private: X25519PrivateKey, *, context: bytes, giver: str, holder: str) -> SharePair:
    """Open a pair of shares.

    Raises:
        ProtocolError: It was sealed for somebody else, by somebody else, for another round, or was changed; or holds no shares.
    """
    try:
        opened = _SUITE.decrypt(sealed, private, info=_info(context, giver=giver, holder=holder))
    except (InvalidTag, ValueError) as error:
        raise ProtocolError("a sealed share does not open") from error
    if len(opened) != 2 * SHARE_BYTES:
        raise ProtocolError("a sealed share has the wrong length")
    return SharePair(checked_share(opened[:SHARE_BYTES]), checked_share(opened[SHARE_BYTES:]))


def _info(context: bytes, *, giver: str, holder: str) -> bytes:
    return _LABEL + context + giver.encode() + holder.encode()
