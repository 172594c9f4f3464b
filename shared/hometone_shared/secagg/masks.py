"""Masks: ChaCha20 keystreams added to a vector modulo 2^32 (docs/protocol.md, section 7; Bonawitz et al. 2017, section 4).

What it may see: mask keys and seeds while it expands them. What it must never do: keep them, or use a keystream for anything else.

Everywhere, `context` is `P || R`, the raw digests of plan and roster, 64 bytes.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from hometone_shared.errors import ProtocolError

SEED_BYTES: Final = 32
_COMMITMENT_LABEL: Final = b"hometone/self-mask/v1"
_SELF_LABEL: Final = b"hometone/self-mask-stream/v1"
_PAIR_LABEL: Final = b"hometone/pair-mask/v1"
_COUNTER_AND_NONCE: Final = bytes(16)
_BLOCK_WORDS: Final = 1 << 14
_ZEROS: Final = bytes(4 * _BLOCK_WORDS)


def commitment(seed: bytes, *, plan_digest: str, device: str) -> bytes:
    """What a device promises its self-mask seed by, 32 bytes (section 5)."""
    return hashlib.sha256(_COMMITMENT_LABEL + bytes.fromhex(plan_digest) + device.encode() + seed).digest()


def commitment_holds(promised: bytes, seed: bytes, *, plan_digest: str, device: str) -> bool:
    """Whether a seed is the one that was promised."""
    return hmac.compare_digest(promised, commitment(seed, plan_digest=plan_digest, device=device))


def self_mask_key(seed: bytes, *, context: bytes, device: str) -> bytes:
    """Key of a device's self mask, 32 bytes."""
    return _hkdf(seed, _SELF_LABEL + context + device.encode())


def pair_mask_key(private: X25519PrivateKey, public: bytes, *, context: bytes, pair: tuple[str, str]) -> bytes:
    """Key of the mask that two devices share, 32 bytes.

    Args:
        private: The private mask key of one of them.
        public: The raw public mask key of the other.
        context: `P || R`.
        pair: Their two ids, in any order.

    Raises:
        ProtocolError: The public key is one that gives everybody the same, all-zero secret (RFC 7748, section 6.1).
    """
    try:
        secret = private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise ProtocolError("a mask key is worthless") from error
    return _hkdf(secret, _PAIR_LABEL + context + min(pair).encode() + max(pair).encode())


def add_keystream(total: NDArray[np.uint32], key: bytes, *, subtract: bool = False) -> None:
    """Add the keystream of a key to a vector in place, or take it away, modulo 2^32.

    Args:
        total: uint32 [d], at most 2^22 long.
        key: 32 bytes.
        subtract: Take it away.
    """
    stream = Cipher(ChaCha20(key, _COUNTER_AND_NONCE), mode=None).encryptor()
    block = np.empty(min(_BLOCK_WORDS, len(total)), dtype="<u4")
    change = np.subtract if subtract else np.add
    for start in range(0, len(total), _BLOCK_WORDS):
        part = total[start : start + _BLOCK_WORDS]
        words = block[: len(part)]
        stream.update_into(memoryview(_ZEROS)[: words.nbytes], words.view(np.uint8).data)
        change(part, words, out=part)


def add_pair_masks(
    total: NDArray[np.uint32], private: X25519PrivateKey, *, device: str, peers: Mapping[str, bytes], context: bytes
) -> None:
    """Add to a vector what a device adds for its peers: the one with the smaller id adds the mask of the pair, the other subtracts it.

    Args:
        total: uint32 [d].
        private: The device's private mask key.
        device: Its id.
        peers: From id to raw public mask key of each peer.
        context: `P || R`.

    Raises:
        ProtocolError: A peer's key is worthless.
    """
    for peer, public in peers.items():
        key = pair_mask_key(private, public, context=context, pair=(device, peer))
        add_keystream(total, key, subtract=device > peer)


def _hkdf(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret)
