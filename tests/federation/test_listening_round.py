"""A round of the purpose `listening` over real processes: what listeners said leaves three laptops as a noised sum.


One speaker has taken her consent to listening tests back, another was judged by too few: they give nothing, and the round goes on.
"""

import datetime as dt
import json
from collections.abc import Iterator

import numpy as np
import pytest
from tests.village import Village, free_port, write_name_of_base

from hometone_client.audio import RawTake
from hometone_client.audio.raw_take import Origin
from hometone_client.listening.clips import Role
from hometone_client.listening.ratings import Listener, Rating, keep_listener
from hometone_client.speakers.consent import Purpose, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.records.panel import Scale

pytestmark = pytest.mark.federation

ORDER = ("--purpose", "listening", "--speakers", 4, "--laptops", 3, "--epsilon", 2, "--minimum-cohort", 3, "--prepare-s", 60)
GIVE = ("Wilhelmine Oberhauser", "Concetta Malaspina", "Agnieszka Wojciechowska")
FEW, ENDED = "Bartholomew Featherstone", "Friedolin Oberhauser"


def measured_take(room: SpeakerRoom) -> None:
    """A take whose figures say how she was recorded."""
    samples = np.random.default_rng(1).normal(0, 0.05, 16_000).astype(np.float32)
    take = RawTake(samples, 16_000, Origin.FILE)
    room.add_take(take, text="a", language="en", speech_s=1.0, quality={"snr_db": 30.0, "bandwidth_hz": 7000.0})


def judged(room: SpeakerRoom, listeners: int) -> None:
    """So many people have listened to her."""
    for number in range(listeners):
        ratings = tuple(
            Rating(scale=scale, role=Role.SYNTHETIC, language="en", sentence=0, value=3 + number % 2)
            for scale in (Scale.NATURALNESS, Scale.SIMILARITY)
        )
        keep_listener(room.vault, Listener(panel="a" * 16, made=1_790_000_000, headphones=None, knows=False, ratings=ratings))


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    folder = tmp_path_factory.mktemp("listening")
    with Village(folder, port=free_port(), models=write_name_of_base(folder / "models")) as made:
        people = {"laptop-1": (GIVE[0], ENDED), "laptop-2": (GIVE[1], FEW), "laptop-3": (GIVE[2],)}
        for name, names in people.items():
            laptop = made.laptop(name)
            for person in names:

                def filled(room: SpeakerRoom, *, person: str = person) -> None:
                    measured_take(room)
                    if person != ENDED:
                        room.keep_consent(give_consent(locale="en", now=dt.datetime.now(dt.UTC), purpose=Purpose.LISTENING))
                    judged(room, 2 if person == FEW else 5)

                laptop.enrol(person, takes=filled, age_band="70-79", gender="woman", settlement="rural", region="Toskana")
        made.found()
        made.settle(*made.laptops, minimum_cohort=3)
        made.everybody_here()
        yield made


def test_what_listeners_said_leaves_as_a_sum(village: Village) -> None:
    answer = village.order(*ORDER).ok()
    (attempt,) = answer["attempts"]
    assert answer["state"] == attempt["state"] == "finished"
    assert attempt["figures"]["survivors"] == 3
    found = village.status()["listening"]
    assert found["run"] == answer["run"]
    shown = json.dumps(village.status(), ensure_ascii=False)
    assert not any(part in shown for name in (*GIVE, FEW, ENDED) for part in name.split())
    for laptop in village.laptops:
        for name in laptop.speakers:
            entries = laptop.ledger(name).entries
            states = [(entry.purpose, entry.state) for entry in entries if entry.state != "released"]
            assert states == ([("listening", "spent")] if name in GIVE else []), name
