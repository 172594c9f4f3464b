"""Key slots: the ways to a speaker's data key.

A slot holds the speaker's data key in two layers, so that both are needed:

(1) inner, of a `secret` slot: Argon2id of the PIN or phrase; of a `work` slot there is none, it serves unattended work that the
    speaker's PIN allowed and is taken away afterwards;
(2) outer, of every slot: a key derived from the device key. Rotating the device key rewraps this layer and needs no PIN; every copy
    of a slot that was left behind on the disk dies with the old device key.

A recovery code is no slot: it withdraws and opens nothing (docs/withdrawal.md). Other ways to a data key get another `SlotKind` with an
inner layer of their own.
"""

import secrets
from dataclasses import dataclass, replace
from enum import StrEnum

from hometone_keys.damage import damaged
from hometone_keys.pin import ARGON2_SALT_BYTES, Argon2Cost, normalised, stretch
from hometone_keys.sealing import KEY_BYTES, context, derive, unwrap, wipe, wrap
from hometone_shared.errors import WrongSecretError

_PART = "a key slot"


class SlotKind(StrEnum):
    """What opens a slot, beside the device key."""

    SECRET = "secret"  # noqa: S105 - the name of a kind, not a password
    WORK = "work"


@dataclass(frozen=True, slots=True)
class KeySlot:
    """One sealed copy of a speaker's data key.

    Args:
        kind: What opens it.
        salt: 16 random bytes.
        sealed: Outer layer: 64 + 16 bytes for `secret` (48 inside), 48 for `work`.
        cost: Argon2id cost of a `secret` slot, `None` for `work`.
    """

    kind: SlotKind
    salt: bytes
    sealed: bytes
    cost: Argon2Cost | None = None


def _binding(layer: str, slot_kind: SlotKind, speaker_id: str, cost: Argon2Cost | None) -> bytes:
    return context(f"hometone/slot-{layer}/v1", slot_kind.encode(), speaker_id.encode(), cost.to_bytes() if cost else b"")


def _outer_key(device_key: bytes | bytearray, slot: KeySlot, speaker_id: str) -> bytearray:
    return derive(device_key, salt=slot.salt, info=_binding("outer", slot.kind, speaker_id, slot.cost))


def _with_outer(slot: KeySlot, inner: bytes | bytearray, *, speaker_id: str, device_key: bytes | bytearray) -> KeySlot:
    key = _outer_key(device_key, slot, speaker_id)
    sealed = wrap(key, inner, associated_data=b"")
    wipe(key)
    return replace(slot, sealed=sealed)


def _inner(slot: KeySlot, *, speaker_id: str, device_key: bytes | bytearray) -> bytearray:
    key = _outer_key(device_key, slot, speaker_id)
    inner = unwrap(key, slot.sealed, associated_data=b"")
    wipe(key)
    if inner is None:
        raise damaged(_PART)
    return inner


def make_secret_slot(
    data_key: bytes | bytearray,
    *,
    secret: str,
    speaker_id: str,
    device_key: bytes | bytearray,
    cost: Argon2Cost,
    salt: bytes | None = None,
) -> KeySlot:
    """A slot that the PIN or phrase opens. `salt` is for test vectors only."""
    slot = KeySlot(kind=SlotKind.SECRET, salt=salt or secrets.token_bytes(ARGON2_SALT_BYTES), sealed=b"", cost=cost)
    stretched = stretch(normalised(secret), salt=slot.salt, cost=cost)
    inner = wrap(stretched, data_key, associated_data=_binding("inner", slot.kind, speaker_id, cost))
    wipe(stretched)
    return _with_outer(slot, inner, speaker_id=speaker_id, device_key=device_key)


def make_work_slot(data_key: bytes | bytearray, *, speaker_id: str, device_key: bytes | bytearray, salt: bytes | None = None) -> KeySlot:
    """A slot that the device alone opens. `salt` is for test vectors only."""
    slot = KeySlot(kind=SlotKind.WORK, salt=salt or secrets.token_bytes(ARGON2_SALT_BYTES), sealed=b"")
    return _with_outer(slot, data_key, speaker_id=speaker_id, device_key=device_key)


def open_slot(slot: KeySlot, *, speaker_id: str, device_key: bytes | bytearray, secret: str = "") -> bytearray:
    """The speaker's data key.

    Args:
        slot: Any slot of the speaker.
        speaker_id: Whose slot it is said to be.
        device_key: The current device key.
        secret: PIN or phrase; a `work` slot does not ask for it.

    Raises:
        WrongSecretError: The slot is whole, the PIN or phrase is another.
        DamagedVaultError: The slot is not what was written.
    """
    inner = _inner(slot, speaker_id=speaker_id, device_key=device_key)
    data_key = inner
    if slot.cost is not None:
        stretched = stretch(normalised(secret), salt=slot.salt, cost=slot.cost)
        opened = unwrap(stretched, bytes(inner), associated_data=_binding("inner", slot.kind, speaker_id, slot.cost))
        wipe(stretched)
        if opened is None:
            raise WrongSecretError("this PIN or phrase does not open this voice", hint="try again, slowly")
        data_key = opened
    if len(data_key) != KEY_BYTES:
        raise damaged(_PART)
    return data_key


def rewrap(slot: KeySlot, *, speaker_id: str, old_device_key: bytes | bytearray, new_device_key: bytes | bytearray) -> KeySlot:
    """The same slot under another device key; no PIN needed.

    Raises:
        DamagedVaultError: The slot is not what was written.
    """
    inner = _inner(slot, speaker_id=speaker_id, device_key=old_device_key)
    return _with_outer(slot, inner, speaker_id=speaker_id, device_key=new_device_key)
