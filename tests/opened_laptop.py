"""A laptop whose pages are served by the real `hometone open`, and what may lie in its vault before.

People, voices and lent copies are put there in this process, through the rooms that the commands use, because training a voice takes long
and is tested elsewhere; whatever is looked at afterwards is the program's.
"""

import datetime as dt
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tests.village import PIN, Laptop, Village, end, free_port, until

from hometone_client.audio import Origin, RawTake
from hometone_client.enrolling.agreeing import agree
from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import checked_card, lend, recipient_card
from hometone_client.lending.known_log import KnownLog
from hometone_client.models import model_folder
from hometone_client.pages.running import FILE, running_pages
from hometone_client.speakers.consent import Purpose, SpokenCheck
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.speaking import Sessions
from hometone_client.voices import VoiceRegistry
from hometone_keys import Vault


@dataclass
class Opened:
    """One laptop.

    Attributes:
        laptop: Its home, and commands for it.
        port: Where its pages are.
        process: `hometone open` while it runs.
        opened: How often it was started.
    """

    laptop: Laptop
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    opened: int = 0

    @property
    def home(self) -> Path:
        return self.laptop.home

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the program has said."""
        return self.laptop.village.folder / f"open-{self.opened}.log"

    @property
    def token_file(self) -> Path:
        """Where the program that runs says that it does."""
        return self.home / FILE

    def open(self) -> str:
        """Start the program; returns the one-time link that it prints."""
        self.opened += 1
        words = ["-m", "hometone_client.cli", "--json", "--home", str(self.home), "open", "--no-browser", "--port", str(self.port)]
        self.process = self.laptop.village.spawn(words, self.log)
        until(lambda: '"link"' in self.log.read_text() or self.process.poll() is not None, "hometone open")
        assert self.process.poll() is None, self.log.read_text()
        answer = json.loads(next(line for line in self.log.read_text().splitlines() if '"link"' in line))
        assert answer["already_running"] is False
        assert answer["url"] == self.origin
        return str(answer["link"])

    def link(self) -> str:
        """A fresh one-time link of the program that runs."""
        found = until(lambda: running_pages(self.home), "a link")
        return str(found.link)

    def close(self) -> None:
        """End it as a person does."""
        end(self.process)

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.wait()


@contextmanager
def opened_laptop(folder: Path, surroundings: dict[str, str] | None = None) -> Iterator[Opened]:
    """A laptop whose pages are not served yet."""
    with Village(folder, port=free_port(), models=model_folder()) as village:
        village.surroundings.update(surroundings or {})
        yield Opened(village.laptop("laptop"))


def add_person(vault: Vault, name: str, *, stock: str = "zf_xiaoxiao", purposes: tuple[Purpose, ...] = ()) -> str:
    """Somebody with a recording, a stock voice as her own, her consent to it and to some purposes; returns her place."""
    now = dt.datetime.now(dt.UTC)
    spoken = SpokenCheck(phrase_sha256="ab" * 32, word_errors=0.0, likeness=0.9, at=now)
    registry = VoiceRegistry(base_sha256=Sessions(model_folder()).base_sha256)
    with SpeakerRoom(vault.enroll(name, PIN)) as room:
        agree(room, vault, purpose=Purpose.OWN_VOICE, locale="en")
        for purpose in purposes:
            agree(room, vault, purpose=purpose, locale="en", spoken=spoken)
        samples = np.random.default_rng(list(name.encode())).uniform(-0.3, 0.3, 24_000).astype(np.float32)
        quality = {"snr_db": 25.0, "bandwidth_hz": 7000.0}
        room.add_take(RawTake(samples, 24_000, Origin.FILE), text="A sentence.", language="en", speech_s=1.0, quality=quality)
        room.keep_voice(registry.get(f"stock:{stock}").load(), record={})
        return room.speaker_id


def lend_to_itself(vault: Vault, home: Path, speaker_id: str, *, name: str) -> str:
    """Her voice, lent to this very computer for announcements; returns the place of the copy."""
    now, log = dt.datetime.now(dt.UTC), KnownLog.of(home)
    card = checked_card(recipient_card(vault, coordinator=log.coordinator), log=log)
    with SpeakerRoom(vault.unlock(speaker_id, PIN)) as room:
        _, package = lend(room, vault, card=card, log=log, register=lambda: None, now=now, label=name)
    return borrow(vault, package, log=log, now=now).speaker_id
