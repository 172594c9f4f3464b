"""An archive from its making to its opening, and everything that keeps it shut (requirements 30, 48, 52)."""

import datetime as dt
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.client.heritage.conftest import PASSPHRASE, House
from tests.unit.client.lending.conftest import DAY, NOW, SPOKEN
from tests.unit.client.speakers.conftest import CHEAP
from tests.unit.client.speakers.test_room import a_voice

from hometone_client.audio.encoding import encode
from hometone_client.audio.labels import SyntheticLabel, read_label
from hometone_client.heritage.contents import CONSENT, CONSENT_TEXT, DIALECT, SAMPLE, SAMPLE_TEXT, VOICE, Contents
from hometone_client.heritage.dialect import pack_files, pack_folder
from hometone_client.heritage.making import Keeper
from hometone_client.heritage.opening import checked, opened_archive, require_kept, write_folder
from hometone_client.heritage.registry import HERITAGE_KIND, archives, stop_archiving
from hometone_client.heritage.samples import checked_text
from hometone_client.heritage.sealing import SealedArchive
from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.consent import Purpose, consent_text, give_consent
from hometone_client.speakers.forgetting import forget
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices.container import to_bytes
from hometone_keys import DeviceIdentity
from hometone_shared.errors import (
    ConsentError,
    DamagedVaultError,
    ProtocolError,
    StorageError,
    UsageError,
    VaultError,
    WrongSecretError,
)

PACK = {DIALECT + "pack.json": b'{"name": "guanzhong"}', DIALECT + "tables/lexicon.tsv": "锅\tguo1\n".encode()}


def test_the_keeper_gets_voice_consent_sample_and_dialect_and_nothing_else(house: House, tmp_path: Path) -> None:
    entry, data = house.make(dialect=PACK)
    sealed = SealedArchive.from_bytes(data)
    require_kept(sealed.deed, log=house.log, now=NOW + DAY)
    found = checked(sealed, sealed.opened_by(house.village.device.sealing_key))
    assert found.voice.style.tolist() == a_voice().style.tolist()
    assert (found.consent.locale, found.contents.dialect, found.contents.languages) == ("zh", "guanzhong", ("zh",))
    assert found.contents.parts.keys() == {VOICE, CONSENT, CONSENT_TEXT, SAMPLE, SAMPLE_TEXT, *PACK}
    assert found.contents.parts[CONSENT_TEXT].decode() == consent_text(Purpose.ARCHIVE, "zh")
    folder = tmp_path / "opened"
    files = write_folder(found, folder)
    assert VOICE not in files, "the voice stays sealed"
    assert (folder / "dialect" / "tables" / "lexicon.tsv").read_bytes() == PACK[DIALECT + "tables/lexicon.tsv"]
    label = read_label((folder / SAMPLE).read_bytes())
    assert label is not None
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {Path(name).name for name in files}
    with pytest.raises(UsageError):
        write_folder(found, folder)
    assert VOICE in write_folder(found, tmp_path / "with", with_voice=True)
    assert [line["event"] for line in house.room.journal()][-1] == "archived"
    assert archives(house.room) == (entry,)


def test_nothing_of_her_can_be_read_in_the_file(house: House) -> None:
    _, data = house.make(dialect=PACK)
    voice = to_bytes(a_voice())
    for secret in (b"mei", b"guanzhong", b"fLaC", voice[:64], a_voice().style.tobytes()[:16], "同意".encode()):
        assert secret not in data


def test_a_passphrase_opens_it_and_another_does_not(house: House) -> None:
    sealed = house.sealed(keeper=house.keeper(passphrase=PASSPHRASE))
    assert (sealed.has_passphrase, sealed.deed.keeper) == (True, None)
    assert checked(sealed, sealed.opened_with(f"  {PASSPHRASE} ")).consent.spoken == SPOKEN
    with pytest.raises(WrongSecretError):
        sealed.opened_with("river lantern plum harvesT")
    with pytest.raises(UsageError):
        sealed.opened_by(house.village.device.sealing_key)


@pytest.mark.parametrize("passphrase", ["1234", "elevenchars", "x" * 2000])
def test_a_passphrase_that_protects_nothing_is_refused(passphrase: str) -> None:
    with pytest.raises(UsageError):
        Keeper(passphrase=passphrase)


def test_there_is_one_keeper(house: House) -> None:
    with pytest.raises(UsageError):
        Keeper()
    with pytest.raises(UsageError):
        Keeper(card=house.keeper().card, passphrase=PASSPHRASE)


def test_another_machine_does_not_open_it(house: House) -> None:
    sealed = house.sealed()
    with pytest.raises(ProtocolError):
        sealed.opened_by(DeviceIdentity.generate().sealing_key)
    with pytest.raises(UsageError):
        sealed.opened_with(PASSPHRASE)


@pytest.mark.parametrize("missing", [Purpose.OWN_VOICE, Purpose.ARCHIVE])
def test_without_her_yes_nothing_is_archived_and_the_refusal_is_noted(house: House, missing: Purpose) -> None:
    house.room.withdraw_consent(missing)
    with pytest.raises(ConsentError):
        house.make()
    assert (house.room.journal()[-1]["event"], house.room.journal()[-1]["purpose"]) == ("refused", missing.value)
    assert (archives(house.room), list(house.folder.iterdir())) == ((), [])


def test_a_yes_that_has_ended_is_none(house: House) -> None:
    with pytest.raises(ConsentError):
        house.make(now=NOW + 301 * DAY)


def test_the_archive_ends_with_the_consent(house: House) -> None:
    deed = house.sealed().deed
    require_kept(deed, log=house.log, now=NOW + 299 * DAY)
    for moment in (NOW + 300 * DAY, NOW - DAY):
        with pytest.raises(ConsentError):
            require_kept(deed, log=house.log, now=moment)


@pytest.mark.parametrize("scope", [Purpose.ARCHIVE, Purpose.OWN_VOICE])
def test_a_tombstone_keeps_an_archive_shut_and_no_other_is_made(house: House, scope: Purpose) -> None:
    sealed = house.sealed()
    house.withdraw(scope)
    with pytest.raises(ConsentError, match="taken the archive back"):
        require_kept(sealed.deed, log=house.log, now=NOW)
    with pytest.raises(ConsentError, match="for ever"):
        house.make()


def test_the_end_of_another_purpose_is_not_the_end_of_the_archive(house: House) -> None:
    sealed = house.sealed()
    house.withdraw(Purpose.ANNOUNCEMENTS)
    require_kept(sealed.deed, log=house.log, now=NOW)


def test_who_cannot_hear_of_a_tombstone_does_not_open(house: House) -> None:
    deed = house.sealed().deed
    with pytest.raises(UsageError, match="another coordinator"):
        require_kept(deed, log=KnownLog(), now=NOW)
    stranger = KnownLog(deed.coordinator)
    with pytest.raises(UsageError, match="does not know"):
        require_kept(deed, log=stranger, now=NOW)


def test_without_coordinators_an_archive_opens_too(house: House, tmp_path: Path) -> None:
    sealed = house.sealed(log=KnownLog())
    assert house.entries == []
    home = tmp_path / "village"
    assert opened_archive(sealed, home=home, vault=house.village, passphrase=None, now=NOW).voice.languages == ("zh",)


def test_without_a_voice_there_is_nothing_to_archive(house: House) -> None:
    house.room.vault.delete("voice", "own")
    with pytest.raises(UsageError, match="no voice yet"):
        house.make()


def test_a_text_that_is_known_no_more_needs_another_yes(house: House) -> None:
    old = replace(give_consent(locale="zh", now=NOW, purpose=Purpose.ARCHIVE, spoken=SPOKEN), text_sha256="00" * 32)
    house.room.keep_consent(old)
    with pytest.raises(ConsentError, match="no longer has the text"):
        house.make()


def test_stopping_removes_what_is_here_and_counts_what_may_be_elsewhere(house: House) -> None:
    house.make(name="one.htheritage")
    house.make(name="two.htheritage")
    (house.folder / "two.htheritage").rename(house.folder / "moved.htheritage")
    house.room.vault.put_json("0" * 32, {"archive": "rubbish"}, kind=HERITAGE_KIND)
    with pytest.raises(DamagedVaultError):
        archives(house.room)
    done = stop_archiving(house.room)
    assert (done.removed, done.elsewhere, done.records) == (1, 3, 5)
    assert [path.name for path in house.folder.iterdir()] == ["moved.htheritage"]
    assert (house.room.export_names(), archives(house.room)) == ((), ())
    assert stop_archiving(house.room).elsewhere == 0


def test_who_is_forgotten_loses_the_archives_that_are_here(house: House, tmp_path: Path) -> None:
    house.make()
    done = forget(house.owner, house.room.speaker_id, home=tmp_path / "owner", room=house.room)
    assert (done.exports_removed, list(house.folder.iterdir())) == (1, [])


def test_an_archive_of_somebody_who_was_locked_meanwhile_does_not_stay(house: House) -> None:
    house.owner.revoke(house.room.speaker_id)
    with pytest.raises(VaultError):
        house.make()
    assert list(house.folder.iterdir()) == []


def resealed(house: House, **changes: bytes) -> SealedArchive:
    """An archive whose owner signs other contents: what a forger with her keys could hand over, for the checks behind the seal."""
    parts = {name.replace("__", "."): data for name, data in changes.items()}
    sealed = house.sealed(keeper=house.keeper(passphrase=PASSPHRASE))
    before = sealed.opened_with(PASSPHRASE)
    contents = replace(before, parts={**before.parts, **parts})
    deed = replace(sealed.deed, contents_sha256=hashlib.sha256(contents.to_bytes()).hexdigest())
    envelope = deed.signed(house.secret.withdrawal_key())
    return SealedArchive.with_passphrase(contents, envelope=envelope, passphrase=PASSPHRASE, cost=CHEAP)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"consent__txt": b"I agree to anything."}, "to something else"),
        ({"consent__json": b"{}"}, "does not verify"),
        ({"voice__safetensors": b"rubbish"}, "not a voice"),
        ({"sample-synthetic__flac": b"rubbish"}, "not marked"),
    ],
)
def test_contents_that_do_not_prove_what_they_say_are_refused(house: House, changes: dict[str, bytes], words: str) -> None:
    sealed = resealed(house, **changes)
    with pytest.raises(ProtocolError, match=words):
        checked(sealed, sealed.opened_with(PASSPHRASE))


def test_a_sample_without_a_mark_is_refused(house: House) -> None:
    bare = encode(a_voice().style, fmt="wav", label=SyntheticLabel.fresh()).replace(b"AIGC", b"XXXX")
    sealed = resealed(house, **{"sample-synthetic__flac": bare})
    with pytest.raises(ProtocolError, match="not marked"):
        checked(sealed, sealed.opened_with(PASSPHRASE))


def test_a_consent_to_another_purpose_is_none(house: House) -> None:
    other = house.room.vault.read("consent", Purpose.OWN_VOICE.value)
    sealed = resealed(house, consent__json=other)
    with pytest.raises(ProtocolError, match="to something else"):
        checked(sealed, sealed.opened_with(PASSPHRASE))


def test_a_pack_is_a_folder_of_plain_files(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "tones.json").write_text("{}")
    (folder / ".hidden").write_text("x")
    assert pack_files(pack_folder(str(folder))) == {"dialect/tables/tones.json": b"{}"}
    (folder / "way-out").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="link"):
        pack_files(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty"):
        pack_files(tmp_path / "empty")
    with pytest.raises(UsageError, match="no dialect pack"):
        pack_folder(str(tmp_path / "nothing"))


def test_what_a_sample_says(house: House) -> None:
    assert "公园" in checked_text(None, language="zh")
    assert checked_text(" Good evening. ", language="en") == "Good evening."
    with pytest.raises(UsageError, match="no sample sentence"):
        checked_text(None, language="ja")
    with pytest.raises(UsageError, match="at most"):
        checked_text("a" * 2001, language="en")


def test_a_folder_that_cannot_be_written(house: House, tmp_path: Path) -> None:
    sealed = house.sealed(keeper=house.keeper(passphrase=PASSPHRASE))
    found = checked(sealed, sealed.opened_with(PASSPHRASE))
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        write_folder(found, tmp_path / "file")


def test_her_account_shows_that_her_voice_has_spoken(house: House) -> None:
    house.make()
    assert [use.count for use in house.room.uses()] == [1]
    assert json.dumps(house.room.journal()[-1])
    assert house.room.journal()[-1]["keeper"] == "Village"


def test_contents_are_the_same_bytes_each_time(house: House) -> None:
    sealed = house.sealed(keeper=house.keeper(passphrase=PASSPHRASE), dialect=PACK)
    contents = sealed.opened_with(PASSPHRASE)
    assert Contents.from_bytes(contents.to_bytes()) == contents
    assert dt.datetime.fromtimestamp(sealed.deed.made, dt.UTC) == NOW
    assert isinstance(house.room, SpeakerRoom)
