"""A whole panel with real models: two voices are prepared by the command, heard by people whose true opinions are known, reported."""

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.client.cli.conftest import Command, hometone, pin_file
from tests.unit.client.federation.records.conftest import Coordinator
from tests.unit.client.listening.conftest import Clock, Crowd, Hall

from hometone_client.base.parameters import base_hash
from hometone_client.federation.membership import join
from hometone_client.listening.clips import Role, clip_wav, clips_of
from hometone_client.listening.trials import Rater
from hometone_client.models import BASE, ensure, model_folder
from hometone_client.speakers.canaries import scan
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices.registry import stock_parameters
from hometone_client.withdrawal.opening import opened_vault
from hometone_client.withdrawal.withdrawing import withdraw
from hometone_keys import Custody, DeviceSecretSource, Vault
from hometone_shared.records.panel import Panel, Scale

__all__ = ["hometone", "pin_file"]
pytestmark = [pytest.mark.models, pytest.mark.slow]
SAMPLE = Path(__file__).resolve().parents[4] / "sample"
PEOPLE = {"allison": "en", "carlo": "it"}
STOCK = {"allison": "bf_emma", "carlo": "im_nicola"}
SENTENCES = {
    "en": ("The bus to the market leaves at nine.", "My grandson has planted two apple trees behind the house."),
    "it": ("Il treno per Torino parte alle nove.", "Mio nipote ha piantato due meli dietro la casa."),
    "mixed": ("我们一起去 coffee shop 坐一会儿吧。", "请把 email 发给我。"),
}


def level_dbov(wav: bytes) -> float:
    samples = np.frombuffer(wav[44:], dtype="<i2").astype(np.float64) / 32768
    return 10 * float(np.log10(np.mean(samples**2)))


def test_two_real_voices_are_judged(tmp_path: Path, hometone: Command, pin_file: Path) -> None:
    home = tmp_path / "home"
    coordinator = Coordinator(tmp_path / "coordinator")
    panel = Panel(
        number="00112233445566ff",
        title="Two voices",
        sentences=SENTENCES,
        scales=frozenset(Scale),
        trials=24,
        traps=3,
        baseline="zf_xiaobei",
        made=1,
    )
    file = tmp_path / "panel.json"
    file.write_bytes(panel.signed(coordinator.key).to_bytes())
    with Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE)) as vault:
        code = coordinator.invitations.issue(address=coordinator.descriptor.address).to_text()
        join(code, home=home, identity=vault.device, transport=coordinator.bridge)

    def command(*arguments: object) -> dict[str, Any]:
        ran = hometone("--json", "--home", home, *arguments)
        assert ran.code == 0, ran.out
        return ran.answer

    assert command("panel", "add", file)["panel"] == panel.number
    for name, language in PEOPLE.items():
        folder = SAMPLE / name
        with (folder / "takes.csv").open(encoding="utf-8", newline="") as table:
            rows = list(csv.DictReader(table))
        command("enroll", name, "--yes", "--pin-file", pin_file)
        files = [folder / row["file"] for row in rows if row["split"] == "enrol"][:6]
        command("take", "add", name, *files, "--texts", folder / "takes.csv", "--language", language, "--pin-file", pin_file)
        with opened_vault(home) as vault, SpeakerRoom(vault.unlock(vault.find(name).speaker_id, pin_file.read_text().strip())) as room:
            # How voices are made is tested elsewhere; which voice is judged here does not matter.
            room.keep_voice(stock_parameters(STOCK[name], base_sha256=base_hash(ensure(BASE, folder=model_folder()))), record={})
        refused = hometone("--json", "--home", home, "panel", "prepare", name, "--yes", "--pin-file", pin_file)
        assert (refused.code, refused.answer["error"]["kind"]) == (3, "ConsentError")
        command("consent", name, "--purpose", "listening-test", "--yes", "--pin-file", pin_file)
        made = command("panel", "prepare", name, "--yes", "--pin-file", pin_file)
        assert made["languages"] == [language, "mixed"]
        # Two of her own language, two mixed with their baselines, one known, three hidden with their anchors, six traps.
        assert made["clips"] == 2 + 2 + 2 + 1 + 3 + 3 + 6
    (offer,) = command("panel", "list")["panels"]
    assert offer["voices"] == 2

    with opened_vault(home) as vault:
        hall = Hall(home, vault, coordinator, panel, Clock(), random.Random(1))
        people = [entry.speaker_id for entry in vault.speakers()]
        truth = {(who, scale): value for who, base in zip(people, (3.2, 4.1), strict=True) for scale, value in
                 ((Scale.NATURALNESS, base), (Scale.SIMILARITY, base - 0.4), (Scale.PREFERENCE, 0.8), (Scale.DIALECT, base))}  # fmt: skip
        crowd = Crowd(truth, random.Random(2), strictness=0.3)
        longest = 0.0
        for entry in vault.speakers():
            with vault.unlock_for_work(entry.speaker_id) as opened:
                clips = clips_of(opened, panel.number)
                longest = max(longest, *(clip.seconds for clip in clips))
                levels = [level_dbov(clip_wav(opened, clip.name)) for clip in clips]
                assert max(levels) - min(levels) < 3.0, levels
                synthetic = [clip for clip in clips if clip.role is Role.SYNTHETIC]
                assert all(set(clip.figures) == {"dnsmos", "error_rate"} for clip in synthetic)
        accepted = 0
        for _ in range(40):
            sitting = hall.sittings.begin(Rater(native=frozenset({"en", "it", "zh"}), knows=False, language="en"))
            opinion = crowd.opinion()
            while (question := sitting.question()) is not None:
                for sound in question.sounds:
                    sitting.sound(sound)
                hall.clock.now_s += 2 * longest
                sitting.answer(question.token, opinion(hall.trial(sitting, question)))
            accepted += sitting.finish().accepted
        assert accepted >= 38
    assert scan(home, [b"WAVEfmt "]).clean
    for name, who in zip(PEOPLE, people, strict=True):
        report = command("panel", "report", name, "--pin-file", pin_file)
        assert report["listeners"] == accepted
        means = {each["scale"]: each["mean"] for each in report["opinions"] if (each["role"], each["language"]) == ("synthetic", "all")}
        assert means.keys() == {scale.value for scale in Scale}
        for scale in Scale:
            mean = means[scale.value]
            assert mean["low"] - 0.1 <= truth[who, scale] <= mean["high"] + 0.1, (name, scale)
        measured = {each["role"]: each["figures"] for each in report["measurements"] if each["language"] == "all"}
        assert {"synthetic", "reference", "baseline"} <= measured.keys()
    with opened_vault(home) as vault:
        for who in people:
            with SpeakerRoom(vault.unlock_for_work(who)) as room:
                withdraw(home, vault, who, room=room, scope=frozenset({Purpose.LISTENING}))
                assert not room.vault.list("listening-clip")
                assert not room.vault.list("listening-rating")
    (offer,) = command("panel", "list")["panels"]
    assert offer["voices"] == 0
    coordinator.log.close()
