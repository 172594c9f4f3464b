"""The file of key slots: who has a voice here, the sealed ways to their data keys, and the secrets by which they can withdraw.

One file holds everything that must change together (device identity, speakers, slots, recovery secrets), sealed as a whole under the
device key, so that replacing it is the one moment at which an enrolment, a new PIN, an erasure or a rotation happens. Its prefix names
the device key it needs. Names and pseudonyms are inside, never in a file name. Versions 1, without recovery secrets, and 2, without the
house, are read; whatever is written is version 3, so the first change of a version 1 vault gives its speakers their secrets. The house is
what belongs to the machine and to nobody who speaks: a place that no name finds and no erasure of a speaker touches. Format:
docs/formats.md, section "Register".
"""

import base64
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from hometone_keys.damage import damaged
from hometone_keys.device import DeviceIdentity
from hometone_keys.pin import Argon2Cost
from hometone_keys.sealing import (
    HEADER_BYTES,
    FileKind,
    canonical_json,
    context,
    expect_kind,
    header,
    parse_json,
    seal,
    unseal,
    version_of,
)
from hometone_keys.slots import KeySlot, SlotKind, rewrap
from hometone_shared.errors import DamagedVaultError

KEY_ID_BYTES = 16
PREFIX_BYTES = HEADER_BYTES + KEY_ID_BYTES
WITHDRAWAL_SECRET_BYTES = 16
_PART = "the file of key slots"
_FIRST_VERSION = 1
_FIRST_WITH_HOUSE = 3
HOUSE_ID = "house"
"""In the place of a pseudonym; no pseudonym is the same."""


@dataclass(frozen=True, slots=True)
class SpeakerRecord:
    """A speaker as the register knows them.

    Args:
        speaker_id: Random pseudonym, `spk-` and 16 letters.
        name: What people call the voice; readable on this device only.
        folder: Random name of the speaker's folder.
        created_ms: Milliseconds since 1970.
        slots: Ways to the data key: one `secret` slot and at most one `work` slot, or, for a guest, one `work` slot alone.
        withdrawal: Recovery secret, 16 bytes (docs/withdrawal.md, section 1); `None` for a guest, whose owner has it, and for
            somebody of a version 1 file that was not written since.
        erase_after_ms: When the place is to be erased by the sweep, milliseconds since 1970; `None` for never.
    """

    speaker_id: str
    name: str
    folder: str
    created_ms: int
    slots: tuple[KeySlot, ...]
    withdrawal: bytes | None = field(default=None, repr=False)
    erase_after_ms: int | None = None

    @property
    def is_guest(self) -> bool:
        """Whether this is a lent copy: somebody without a PIN."""
        return self.slot(SlotKind.SECRET) is None

    def slot(self, kind: SlotKind) -> KeySlot | None:
        """The slot of this kind, if there is one."""
        return next((slot for slot in self.slots if slot.kind is kind), None)

    def with_slot(self, new: KeySlot) -> "SpeakerRecord":
        """The same speaker with this slot in place of any other of its kind."""
        return replace(self, slots=(*self.without_slot(new.kind).slots, new))

    def without_slot(self, kind: SlotKind) -> "SpeakerRecord":
        """The same speaker without slots of this kind."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.kind is not kind))


@dataclass(frozen=True, slots=True)
class Register:
    """Content of the file of key slots.

    Args:
        identity: Key pairs of this laptop.
        speakers: Everybody who has a place here, guests too.
        house: The place of what belongs to nobody who speaks: `HOUSE_ID`, no name, one `work` slot. `None` until it is first asked for.
    """

    identity: DeviceIdentity
    speakers: tuple[SpeakerRecord, ...] = ()
    house: SpeakerRecord | None = None

    @property
    def places(self) -> tuple[SpeakerRecord, ...]:
        """Everything that has a folder: speakers and, if there is one, the house."""
        return self.speakers if self.house is None else (*self.speakers, self.house)

    def holds(self, place_id: str) -> bool:
        """Whether there is a place of this pseudonym, or of `HOUSE_ID`."""
        return any(record.speaker_id == place_id for record in self.places)

    def find(self, speaker_id: str) -> SpeakerRecord | None:
        """The speaker of this pseudonym, if there is one."""
        return next((record for record in self.speakers if record.speaker_id == speaker_id), None)

    def with_speaker(self, record: SpeakerRecord) -> "Register":
        """The register with this speaker added, or in the place of their former record."""
        return replace(self, speakers=(*self.without_speaker(record.speaker_id).speakers, record))

    def without_speaker(self, speaker_id: str) -> "Register":
        """The register without this speaker."""
        return replace(self, speakers=tuple(record for record in self.speakers if record.speaker_id != speaker_id))

    def completed(self) -> "Register":
        """The register with a fresh recovery secret for everybody who should have one and does not; this one if there is nobody."""
        if all(record.is_guest or record.withdrawal is not None for record in self.speakers):
            return self
        return replace(
            self,
            speakers=tuple(
                record
                if record.is_guest or record.withdrawal is not None
                else replace(record, withdrawal=secrets.token_bytes(WITHDRAWAL_SECRET_BYTES))
                for record in self.speakers
            ),
        )

    def rewrapped(self, *, old_device_key: bytes | bytearray, new_device_key: bytes | bytearray) -> "Register":
        """The register with the outer layer of every slot, the house's too, under another device key."""

        def moved(record: SpeakerRecord) -> SpeakerRecord:
            slots = tuple(
                rewrap(slot, speaker_id=record.speaker_id, old_device_key=old_device_key, new_device_key=new_device_key)
                for slot in record.slots
            )
            return replace(record, slots=slots)

        return replace(self, speakers=tuple(map(moved, self.speakers)), house=None if self.house is None else moved(self.house))


def _slot_to_record(slot: KeySlot) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": slot.kind.value,
        "salt": base64.b64encode(slot.salt).decode(),
        "sealed": base64.b64encode(slot.sealed).decode(),
    }
    if slot.cost is not None:
        record["argon2id"] = [slot.cost.memory_kib, slot.cost.iterations, slot.cost.lanes]
    return record


def _slot_from_record(record: dict[str, Any]) -> KeySlot:
    kind = SlotKind(record["kind"])
    return KeySlot(
        kind=kind,
        salt=base64.b64decode(record["salt"], validate=True),
        sealed=base64.b64decode(record["sealed"], validate=True),
        cost=Argon2Cost(*map(int, record["argon2id"])) if kind is SlotKind.SECRET else None,
    )


def _speaker_from_record(record: dict[str, Any], *, version: int) -> SpeakerRecord:
    speaker = SpeakerRecord(
        speaker_id=str(record["id"]),
        name=str(record["name"]),
        folder=str(record["folder"]),
        created_ms=int(record["created_ms"]),
        slots=tuple(_slot_from_record(slot) for slot in record["slots"]),
    )
    if version == _FIRST_VERSION:
        return speaker
    withdrawal, erase_after_ms = record["withdrawal"], record.get("erase_after_ms")
    if withdrawal is not None:
        withdrawal = base64.b64decode(withdrawal, validate=True)
    if speaker.is_guest != (withdrawal is None) or (withdrawal is not None and len(withdrawal) != WITHDRAWAL_SECRET_BYTES):
        raise damaged(_PART)
    return replace(speaker, withdrawal=withdrawal, erase_after_ms=None if erase_after_ms is None else int(erase_after_ms))


def _house_to_record(house: SpeakerRecord) -> dict[str, Any]:
    (slot,) = house.slots
    return {"created_ms": house.created_ms, "folder": house.folder, "slot": _slot_to_record(slot)}


def _house_from_record(record: dict[str, Any] | None) -> SpeakerRecord | None:
    if record is None:
        return None
    slot = _slot_from_record(record["slot"])
    if slot.kind is not SlotKind.WORK:
        raise damaged(_PART)
    return SpeakerRecord(speaker_id=HOUSE_ID, name="", folder=str(record["folder"]), created_ms=int(record["created_ms"]), slots=(slot,))


def seal_register(register: Register, *, key_id: bytes, device_key: bytes | bytearray, salt: bytes | None = None) -> bytes:
    """The bytes of the file, version 3; speakers of version 1 get their recovery secrets here. `salt` is for test vectors only."""
    content = {
        "device": register.identity.to_record(),
        "house": None if register.house is None else _house_to_record(register.house),
        "speakers": [
            {
                "created_ms": record.created_ms,
                "erase_after_ms": record.erase_after_ms,
                "folder": record.folder,
                "id": record.speaker_id,
                "name": record.name,
                "slots": [_slot_to_record(slot) for slot in record.slots],
                "withdrawal": None if record.withdrawal is None else base64.b64encode(record.withdrawal).decode(),
            }
            for record in register.completed().speakers
        ],
    }
    return seal(
        device_key,
        canonical_json(content),
        prefix=header(FileKind.KEY_SLOTS) + key_id,
        info=context("hometone/key-slots/v1", key_id),
        salt=salt,
    )


def key_id_of(data: bytes) -> bytes:
    """Which device key a file of key slots needs.

    Raises:
        DamagedVaultError: These bytes are no such file.
    """
    expect_kind(data, FileKind.KEY_SLOTS, what=_PART)
    if len(data) < PREFIX_BYTES:
        raise damaged(_PART)
    return data[HEADER_BYTES:PREFIX_BYTES]


def unseal_register(data: bytes, *, device_key: bytes | bytearray) -> Register:
    """Read the file, of any version up to this one's.

    Raises:
        DamagedVaultError: It is not what was written.
    """
    key_id = key_id_of(data)
    plaintext = unseal(device_key, data, prefix_bytes=PREFIX_BYTES, info=context("hometone/key-slots/v1", key_id), what=_PART)
    try:
        content, version = parse_json(plaintext), version_of(data)
        return Register(
            identity=DeviceIdentity.from_record(content["device"]),
            speakers=tuple(_speaker_from_record(record, version=version) for record in content["speakers"]),
            house=_house_from_record(content["house"]) if version >= _FIRST_WITH_HOUSE else None,
        )
    except DamagedVaultError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged(_PART) from error
