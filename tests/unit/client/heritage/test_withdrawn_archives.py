"""Taking archives back: what is here goes, what was handed on is named in the receipt (requirements 47 to 49)."""

from pathlib import Path

from tests.unit.client.heritage.conftest import House, house

from hometone_client.heritage.registry import archives
from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.consent import Purpose
from hometone_client.withdrawal.outbox import Outbox
from hometone_client.withdrawal.withdrawing import EVERYTHING, withdraw
from hometone_shared.records.receipt import HolderReceipt, Pending, Removed

__all__ = ["house"]


def receipt_of(home: Path, house: House) -> HolderReceipt:
    (item,) = Outbox(home).items(house.secret.pseudonym)
    assert item.receipt is not None
    return HolderReceipt.from_envelope(item.receipt)


def test_the_end_of_archives_alone_leaves_the_voice(house: House, tmp_path: Path) -> None:
    house.make(log=KnownLog())
    withdraw(tmp_path / "owner", house.owner, house.room.speaker_id, room=house.room, scope=frozenset({Purpose.ARCHIVE}))
    receipt = receipt_of(tmp_path / "owner", house)
    assert (receipt.removed[Removed.EXPORTS], receipt.key_destroyed) == (1, False)
    assert [item.what for item in receipt.pending] == [Pending.EXPORTS_ELSEWHERE]
    assert (list(house.folder.iterdir()), archives(house.room), house.room.has_voice) == ([], (), True)
    assert house.room.consent(Purpose.ARCHIVE) is None


def test_the_end_of_everything_names_archives_that_were_handed_on(house: House, tmp_path: Path) -> None:
    house.make(log=KnownLog())
    secret = house.secret
    withdraw(tmp_path / "owner", house.owner, house.room.speaker_id, room=house.room, scope=EVERYTHING)
    (item,) = Outbox(tmp_path / "owner").items(secret.pseudonym)
    assert item.receipt is not None
    receipt = HolderReceipt.from_envelope(item.receipt)
    assert (receipt.removed[Removed.EXPORTS], receipt.key_destroyed) == (1, True)
    assert [pending.what for pending in receipt.pending] == [Pending.EXPORTS_ELSEWHERE]
    assert list(house.folder.iterdir()) == []
