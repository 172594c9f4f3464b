"""Clips of a panel, out of real recordings: at one level, degraded where they should be, and gone with what they were made from."""

import csv
import datetime as dt
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.client.listening.conftest import PIN, Hall, a_panel

from hometone_client.audio.decoding import decode
from hometone_client.listening.anchors import LOW_PASS_HZ, anchored
from hometone_client.listening.clips import Role, clip_wav, clips_of
from hometone_client.listening.headphones import RIGHT_ANSWERS, TONES, TRIALS, HeadphoneCheck
from hometone_client.listening.levels import LEVEL_DBOV, RATE_HZ, levelled, speech_level_dbov, wav_bytes
from hometone_client.listening.panels import PanelShelf
from hometone_client.listening.preparing import Voices, prepare, texts_for, traps
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.takes.segmentation import detect
from hometone_client.voices.registry import stock_parameters
from hometone_shared.errors import AudioError, ConsentError, FederationError, ProtocolError, UsageError

SAMPLE = Path(__file__).resolve().parents[4] / "sample" / "allison"
BASE = "aa" * 32


def takes(count: int = 4) -> list[Any]:
    with (SAMPLE / "takes.csv").open(encoding="utf-8", newline="") as table:
        return [(row, decode(SAMPLE / row["file"])) for row in csv.DictReader(table)][:count]


@pytest.fixture
def room(hall: Hall) -> Any:
    with SpeakerRoom(hall.vault.enroll("allison", PIN)) as opened:
        now = dt.datetime.now(dt.UTC)
        opened.keep_consent(give_consent(locale="en", now=now))
        opened.keep_voice(stock_parameters("af_heart", base_sha256=BASE), record={})
        for number, (row, take) in enumerate(takes()):
            opened.add_take(take, text=row["text"], language="en", speech_s=2.0, quality={}, held_out=number == 0)
        yield opened


def voices() -> Voices:
    """Voices that answer with a recording, whatever they are asked to say."""
    take = takes(1)[0][1]

    def speak(text: str, language: str) -> Any:
        from hometone_client.audio.resampling import resample

        return resample(take.samples, from_hz=take.sample_rate_hz, to_hz=RATE_HZ) * np.float32(0.1)

    return Voices(own=lambda _voice: speak, stock=lambda _name: speak)


def agree(hall: Hall, room: SpeakerRoom) -> None:
    room.keep_consent(give_consent(locale="en", now=dt.datetime.now(dt.UTC), purpose=Purpose.LISTENING))
    hall.vault.allow_work(room.vault)


def test_without_her_consent_nothing_is_made(hall: Hall, room: SpeakerRoom) -> None:
    with pytest.raises(ConsentError, match="not consented to listening-test"):
        prepare(room, hall.panel, voices=voices())
    assert not room.vault.list("listening-clip")


def test_all_clips_are_made_levelled_measured_and_replaced(hall: Hall, room: SpeakerRoom) -> None:
    agree(hall, room)
    parts: list[float] = []
    measured: list[tuple[str, str]] = []

    def measure(samples: Any, text: str, language: str) -> dict[str, float]:
        measured.append((text, language))
        return {"dnsmos": 3.21, "error_rate": 0.0} if text else {"dnsmos": 3.21}

    made = prepare(room, hall.panel, voices=voices(), measure=measure, progress=parts.append, chance=random.Random(1))
    clips = clips_of(room.vault, hall.panel.number)
    count = {role: sum(clip.role is role for clip in clips) for role in Role}
    assert count == {Role.SYNTHETIC: 6, Role.KNOWN: 1, Role.REFERENCE: 3, Role.ANCHOR: 3, Role.BASELINE: 2, Role.TRAP: 3 * len(traps())}
    assert (made.clips, made.languages) == (len(clips), ("en", "mixed"))
    assert parts == sorted(parts)
    assert parts[-1] == pytest.approx(1.0)
    assert len(measured) == 6 + 2 + 3
    (known,) = [clip for clip in clips if clip.role is Role.KNOWN]
    assert known.take == "take-0001", "what nothing was learnt from comes first"
    for clip in clips:
        samples = np.frombuffer(clip_wav(room.vault, clip.name)[44:], dtype="<i2").astype(np.float32) / 32767
        assert samples.size == pytest.approx(clip.seconds * RATE_HZ, abs=24)
        spoken = np.concatenate([segment.cut(samples, RATE_HZ) for segment in detect(samples, RATE_HZ).speech])
        assert speech_level_dbov(spoken) == pytest.approx(LEVEL_DBOV, abs=1.0), clip.role
        assert bool(clip.figures) is (clip.role in {Role.SYNTHETIC, Role.REFERENCE, Role.BASELINE})
    assert [use.way.value for use in room.uses()] == ["listening"]
    other = a_panel(number="ee" * 8, sentences={"en": ("One.",), "mixed": ("去 shop 吧。",)})
    prepare(room, other, voices=voices())
    assert clips_of(room.vault, hall.panel.number) == ()
    assert len(clips_of(room.vault, other.number)) == 1 + 1 + 1 + 1 + 3 + 3 + 6


def test_a_recording_that_is_removed_takes_its_clips_along(hall: Hall, room: SpeakerRoom) -> None:
    agree(hall, room)
    prepare(room, hall.panel, voices=voices(), chance=random.Random(1))
    hidden = next(clip.take for clip in clips_of(room.vault, hall.panel.number) if clip.role is Role.REFERENCE)
    room.remove_take(hidden)
    left = clips_of(room.vault, hall.panel.number)
    assert hidden not in {clip.take for clip in left}
    assert sum(clip.role is Role.ANCHOR for clip in left) == 2


def test_what_is_missing_is_said(hall: Hall, room: SpeakerRoom) -> None:
    agree(hall, room)
    italian = a_panel(sentences={"it": ("Sì.",), "mixed": ("去 shop 吧。",)})
    with pytest.raises(UsageError, match="no sentences in a language of allison"):
        texts_for(room, italian)
    for name in room.take_names()[1:]:
        room.remove_take(name)
    with pytest.raises(UsageError, match="two recordings"):
        prepare(room, hall.panel, voices=voices())
    with pytest.raises(AudioError, match="no speech"):
        levelled(np.zeros(24_000, dtype=np.float32), RATE_HZ)


def test_an_anchor_is_narrow_and_noisy() -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, 48_000).astype(np.float32)
    made = anchored(noise, chance=np.random.default_rng(2))
    assert made.shape == noise.shape
    tone = (0.3 * np.sin(2 * np.pi * 1000 * np.arange(48_000) / RATE_HZ)).astype(np.float32)
    rest = anchored(tone, chance=np.random.default_rng(2)) - tone
    assert 10 * np.log10(np.mean(tone**2) / np.mean(rest**2)) == pytest.approx(8.0, abs=0.5)
    high = (0.3 * np.sin(2 * np.pi * 2 * LOW_PASS_HZ * np.arange(48_000) / RATE_HZ)).astype(np.float32)
    assert np.mean(anchored(high) ** 2) < 1e-4 * np.mean(high**2)


def test_headphones_are_told_by_ear() -> None:
    def softest(sound: Any, *, mono: bool) -> int:
        """Somebody who hears each side apart, or both together in the air."""
        tones = [sound[round(start * 72_000) : round(start * 72_000) + 48_000] for start in range(TONES)]
        heard = [tone.mean(axis=1) if mono else tone[:, 0] for tone in tones]
        return int(np.argmin([np.mean(each.astype(np.float64) ** 2) for each in heard]))

    for mono in (False, True):
        check = HeadphoneCheck(chance=random.Random(4))
        assert check.worn is None
        for number in range(TRIALS):
            data = np.frombuffer(check.wav(number)[44:], dtype="<i2").reshape(-1, 2).astype(np.float64)
            check.answer(number, softest(data, mono=mono))
        assert check.worn is not mono
        assert check.answered == TRIALS
    with pytest.raises(UsageError):
        check.wav(TRIALS)
    with pytest.raises(UsageError):
        check.answer(0, TONES)


def test_who_guesses_seldom_seems_to_wear_headphones() -> None:
    chance = random.Random(6)
    worn = 0
    for _ in range(2000):
        check = HeadphoneCheck(chance=chance)
        for number in range(TRIALS):
            check.answer(number, chance.randrange(TONES))
        worn += check.worn is True
    assert RIGHT_ANSWERS == 5
    assert worn / 2000 < 0.03


def test_wav_bytes_are_mono_or_stereo() -> None:
    assert wav_bytes(np.zeros(10, dtype=np.float32))[22:24] == b"\x01\x00"
    assert wav_bytes(np.zeros((10, 2), dtype=np.float32))[22:24] == b"\x02\x00"


def test_a_shelf_takes_panels_of_its_own_coordinator_alone(hall: Hall, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    shelf = PanelShelf(hall.home)
    stranger = a_panel(number="ab" * 8).signed(Ed25519PrivateKey.generate()).to_bytes()
    with pytest.raises(ProtocolError, match="another key"):
        shelf.add(stranger)
    with pytest.raises(ProtocolError):
        shelf.add(b"{}")
    with pytest.raises(ProtocolError, match="too long"):
        shelf.add(b"x" * ((1 << 20) + 1))
    newer = a_panel(number="cd" * 8, made=hall.panel.made + 1)
    shelf.add(newer.signed(hall.coordinator.key).to_bytes())
    (hall.home / "listening" / f"{'ab' * 8}.json").write_bytes(stranger)
    (hall.home / "listening" / "broken.json").write_bytes(b"not a panel")
    assert [panel.number for panel in shelf.panels()] == [newer.number, hall.panel.number]
    assert shelf.find().number == newer.number
    assert shelf.find("0123").number == hall.panel.number
    with pytest.raises(UsageError, match="no such listening panel"):
        shelf.find("ffff")
    alone = PanelShelf(tmp_path / "alone")
    assert alone.panels() == ()
    with pytest.raises(UsageError, match="joined none"):
        alone.fetch()
    with pytest.raises(UsageError, match="joined none"):
        alone.add(stranger)


def test_the_newest_panel_comes_over_the_network(hall: Hall) -> None:
    from hometone_server.records.panels import Panels

    shelf = PanelShelf(hall.home)
    with pytest.raises(FederationError):
        shelf.fetch(transport=hall.coordinator.bridge)
    for made in (5, 9, 7):
        Panels(hall.coordinator.home).sign(a_panel(number=f"{made:016x}", made=made))
    assert shelf.fetch(transport=hall.coordinator.bridge).made == 9
    assert {panel.made for panel in shelf.panels()} == {9, hall.panel.made}
