"""The witnesses whose cosignature this laptop demands on every head of the log (docs/withdrawal.md, section 8).

`<home>/federation/witnesses.json`, canonical: `{"version": 1, "witnesses": [NAME+KEYID+KEY, ...]}`; nobody is trusted before a person says
so. What it may see: public keys and heads. What it must never do: take a damaged list for an empty one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from hometone_client.federation.small_files import read_small_file, replace_small_file
from hometone_shared.errors import DamagedVaultError, ProtocolError
from hometone_shared.log.cosignature import WitnessKey, cosigned_at
from hometone_shared.records.canonical import Fields, canonical, parse

FILE: Final = "witnesses.json"
LONGEST_AGE_S: Final = 24 * 3600
MOST_AHEAD_S: Final = 300
MOST_WITNESSES: Final = 20
_VERSION: Final = 1


class NotWitnessedError(ProtocolError):
    """A witness that is trusted here has not cosigned a head, or not lately."""


@dataclass(frozen=True, slots=True)
class TrustedWitnesses:
    """Who has to have seen a head.

    Attributes:
        witnesses: Their keys, in the order in which they were trusted.
    """

    witnesses: tuple[WitnessKey, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The witnesses of a laptop; none where nobody was trusted.

        Args:
            folder: `<home>/federation`.

        Raises:
            DamagedVaultError: The file is not what was written.
            StorageError: The disk refuses.
        """
        data = read_small_file(folder / FILE)
        if data is None:
            return cls()
        try:
            fields = Fields(parse(data))
            fields.integer("version", low=_VERSION, high=_VERSION)
            texts = fields.items("witnesses", most=MOST_WITNESSES)
            fields.done()
            return cls(tuple(WitnessKey.parse(str(text)) for text in texts))
        except ProtocolError as error:
            raise DamagedVaultError(
                "the list of trusted witnesses is damaged", hint="restore it, or trust the witnesses anew: hometone witness trust KEY"
            ) from error

    def save(self, folder: Path) -> None:
        """Store the list; at any moment the old or the new one is there.

        Raises:
            StorageError: The disk refuses.
        """
        document = {"version": _VERSION, "witnesses": [witness.text() for witness in self.witnesses]}
        replace_small_file(folder / FILE, canonical(document))

    def trusting(self, witness: WitnessKey) -> Self:
        """The list with one more.

        Raises:
            ProtocolError: There are too many.
        """
        if witness not in self.witnesses and len(self.witnesses) >= MOST_WITNESSES:
            raise ProtocolError(f"at most {MOST_WITNESSES} witnesses can be trusted", hint="trust fewer")
        return type(self)(tuple(dict.fromkeys((*self.witnesses, witness))))

    def without(self, witness: WitnessKey) -> Self:
        """The list without one."""
        return type(self)(tuple(each for each in self.witnesses if each != witness))

    def check(self, note: bytes, *, now_s: float) -> None:
        """Refuse a head that one of them has not cosigned within a day.

        Args:
            note: A signed head.
            now_s: Seconds since 1970.

        Raises:
            NotWitnessedError: A cosignature is missing, does not hold, is too old, or lies in the future.
        """
        for witness in self.witnesses:
            try:
                age_s = now_s - cosigned_at(note, witness)
            except ProtocolError as error:
                raise NotWitnessedError(error.message, hint="is the witness running? ask the people who run it") from error
            if not -MOST_AHEAD_S <= age_s <= LONGEST_AGE_S:
                raise NotWitnessedError(
                    "a trusted witness has not seen this head of the log lately", hint="is it running? check this computer's clock, too"
                )
