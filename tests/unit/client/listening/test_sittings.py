"""One listener's session: blind, balanced, patient, and gone when somebody takes her voice back."""

import datetime as dt
import random
from collections import Counter
from itertools import pairwise

import pytest
from tests.unit.client.listening.conftest import Crowd, Hall, a_panel, clicker

from hometone_client.listening.clips import Role, clips_of
from hometone_client.listening.panels import PanelShelf
from hometone_client.listening.ratings import listeners
from hometone_client.listening.report import panel_report
from hometone_client.listening.screening import Reason
from hometone_client.listening.sitting import Question
from hometone_client.listening.sittings import LONGEST_S, MOST
from hometone_client.listening.trials import Rater, draw
from hometone_client.listening.voices import heard_voices
from hometone_client.speakers.consent import Purpose
from hometone_shared.errors import ConsentError, StorageError, UsageError
from hometone_shared.records.panel import Scale

CHINESE = Rater(native=frozenset({"zh"}), knows=False)


@pytest.fixture
def people(hall: Hall) -> list[str]:
    return [hall.enrol(name) for name in ("mei", "anna", "otto")]


def crowd(people: list[str]) -> Crowd:
    truth = {(who, scale): value for who in people for scale, value in zip(Scale, (3.5, 3.0, 1.0, 4.0), strict=True)}
    return Crowd(truth, random.Random(5))


def test_what_can_be_taken(hall: Hall) -> None:
    (offer,) = hall.sittings.offers()
    assert (offer.voices, offer.can_be_taken, offer.trials) == (0, False, 0)
    with pytest.raises(UsageError, match="no voice on this computer is ready"):
        hall.sittings.begin(CHINESE)
    hall.enrol("mei")
    hall.enrol("anna", agrees=False)
    (offer,) = hall.sittings.offers()
    assert (offer.panel, offer.voices, offer.languages, offer.trials) == (hall.panel, 1, ("mixed", "zh"), 22)


def test_a_question_tells_nothing_but_what_is_asked(hall: Hall, people: list[str]) -> None:
    sitting = hall.sittings.begin(CHINESE)
    question = sitting.question()
    assert isinstance(question, Question)
    shown = repr(question)
    for telling in (*people, *(role.value for role in Role), hall.panel.number, "mei", "take-"):
        assert telling not in shown
    # The same clip has another token in every session, and the sound itself has no label of how it was made.
    wav = sitting.sound(question.sounds[0])
    assert wav[:4] == b"RIFF"
    assert wav[12:16] == b"fmt "
    assert wav[36:40] == b"data"
    names = {clip.name for voice in heard_voices(hall.vault, hall.panel) for clip in voice.clips}
    assert not names & set(question.sounds)


def test_lists_are_balanced_blind_and_never_the_same_voice_twice_in_a_row(hall: Hall, people: list[str]) -> None:
    voices = heard_voices(hall.vault, hall.panel)
    starts: Counter[tuple[str, str, int]] = Counter()
    first_is_hers = 0
    pairs = 0
    for seed in range(200):
        trials = draw(hall.panel, voices, CHINESE, chance=random.Random(seed))
        asked = [trial for trial in trials if not trial.is_trap]
        assert (len(asked), len(trials)) == (hall.panel.trials, hall.panel.trials + hall.panel.traps)
        assert not trials[0].is_trap
        each = Counter(trial.speaker_id for trial in asked)
        assert max(each.values()) - min(each.values()) <= 2
        assert all(one.speaker_id != other.speaker_id for one, other in pairwise(asked))
        roles = Counter(trial.clip.role for trial in asked if trial.scale is Scale.NATURALNESS)
        assert roles[Role.REFERENCE] == roles[Role.ANCHOR] == 2
        assert len({(trial.scale, trial.clip.name) for trial in asked}) == len(asked)
        for trial in asked:
            assert trial.clip.language in {"zh", "mixed"}
            if trial.scale is Scale.PREFERENCE:
                pairs += 1
                first_is_hers += trial.clips[0] is trial.clip
                assert {clip.role for clip in trial.clips} == {Role.SYNTHETIC, Role.BASELINE}
                assert len({clip.sentence for clip in trial.clips}) == 1
            if trial.scale is Scale.SIMILARITY:
                assert trial.clips[0].role is Role.KNOWN
            if trial.scale is Scale.NATURALNESS and trial.clip.role is Role.SYNTHETIC:
                starts[trial.speaker_id, trial.clip.language, trial.clip.sentence] += 1
    assert 0.4 < first_is_hers / pairs < 0.6
    assert len(starts) == 3 * 6
    assert max(starts.values()) < 2 * min(starts.values()), "every voice speaks every sentence about as often"


def test_listeners_are_asked_only_about_languages_that_they_grew_up_with(hall: Hall) -> None:
    who = hall.enrol("mei", languages=("zh", "mixed"))
    voices = heard_voices(hall.vault, hall.panel)
    english = draw(hall.panel, voices, Rater(native=frozenset({"en"}), knows=False, language="en"), chance=random.Random(1))
    scales = {trial.scale for trial in english if trial.clip.role is Role.SYNTHETIC}
    assert scales == {Scale.SIMILARITY}, "likeness can be judged without the language"
    sichuan = draw(hall.panel, voices, Rater(native=frozenset({"zh-sichuan"}), knows=False), chance=random.Random(1))
    scales = {trial.scale for trial in sichuan if trial.clip.role is Role.SYNTHETIC}
    assert Scale.DIALECT not in scales, "another dialect is no judge of this one"
    assert Scale.NATURALNESS in scales
    only_natural = a_panel(number="ff" * 8, scales=frozenset({Scale.NATURALNESS}), sentences={"zh": hall.panel.sentences["zh"]})
    assert draw(only_natural, voices, Rater(native=frozenset({"it"}), knows=False), chance=random.Random(1)) == ()
    assert {trial.speaker_id for trial in sichuan} == {who}


def test_nothing_in_a_listeners_language_is_said_before_the_test(hall: Hall) -> None:
    natural = a_panel(
        number="ff" * 8, made=1_900_000_000, scales=frozenset({Scale.NATURALNESS}), sentences={"zh": hall.panel.sentences["zh"]}
    )
    PanelShelf(hall.home).add(natural.signed(hall.coordinator.key).to_bytes())
    hall.panel = natural
    hall.enrol("mei", languages=("zh",))
    with pytest.raises(UsageError, match="language that you grew up with"):
        hall.sittings.begin(Rater(native=frozenset({"it"}), knows=False))


def test_an_answer_needs_the_time_to_listen(hall: Hall, people: list[str]) -> None:
    sitting = hall.sittings.begin(CHINESE)
    for voice in people:
        with hall.room(voice) as room:
            for artefact in room.vault.list("listening-clip"):
                data = room.vault.read("listening-clip", artefact.name)
                room.vault.put("listening-clip", artefact.name, data, {**artefact.metadata, "seconds": 4.0})
    sitting = hall.sittings.begin(CHINESE)
    question = sitting.question()
    assert question is not None
    with pytest.raises(UsageError, match="listen to the end"):
        sitting.answer(question.token, 3)
    for sound in question.sounds:
        sitting.sound(sound)
    hall.clock.now_s += 4.0 * len(question.sounds) - 1.0
    with pytest.raises(UsageError, match="listen to the end"):
        sitting.answer(question.token, 3)
    assert sitting.progress == (0, 22)
    hall.clock.now_s += 1.0
    sitting.answer(question.token, 3)
    assert sitting.progress == (1, 22)


def test_answers_can_be_changed_and_nonsense_changes_nothing(hall: Hall, people: list[str]) -> None:
    sitting = hall.sittings.begin(CHINESE)
    assert sitting.back() is None
    first = sitting.question()
    assert first is not None
    assert sitting.question() == first, "a page may be loaded again"
    for sound in first.sounds:
        sitting.sound(sound)
    hall.clock.now_s += 1
    for value in (0, 6, -4, 2.0, True, "3", None):
        with pytest.raises(UsageError, match="number from"):
            sitting.answer(first.token, value)
    with pytest.raises(UsageError, match="no such question"):
        sitting.answer("guess", 1)
    with pytest.raises(UsageError, match="no such sound"):
        sitting.sound("guess")
    sitting.answer(first.token, 2)
    second = sitting.question()
    assert second is not None
    assert second.number == 2
    again = sitting.back()
    assert again is not None
    assert (again.token, again.value, again.number, again.total) == (first.token, 2, 1, 22)
    sitting.answer(first.token, 3)
    assert sitting.question() == second


def test_an_attentive_listener_counts_and_each_owner_gets_her_part_alone(hall: Hall, people: list[str]) -> None:
    sitting = hall.sittings.begin(Rater(native=frozenset({"zh"}), knows=True))
    assert sitting.finish().reasons == (Reason.UNFINISHED,)
    hall.listen(sitting, crowd(people).opinion())
    verdict = sitting.finish()
    assert (verdict.accepted, verdict.reasons, verdict.voices) == (True, (), 3)
    assert sitting.finish() == verdict, "once more changes nothing"
    assert sitting.question() is None
    with pytest.raises(UsageError):
        hall.sittings.find(sitting.token)
    total = 0
    names = set()
    for who in people:
        with hall.room(who) as room:
            (listener,) = listeners(room.vault)
            total += len(listener.ratings)
            assert (listener.panel, listener.knows, listener.headphones) == (hall.panel.number, True, None)
            names |= {artefact.name for artefact in room.vault.list("listening-rating")}
            record = room.vault.read("listening-rating", next(iter(room.vault.list("listening-rating"))).name)
            assert not any(other.encode() in record for other in (*people, sitting.token, "trap"))
    assert total == hall.panel.trials, "traps are not kept"
    assert len(names) == 3, "nothing links the parts of one listener"


@pytest.mark.parametrize(
    ("careless", "reason"),
    [
        (lambda judge: lambda trial: trial.clip.answer % 5 + 1 if trial.is_trap else judge(trial), Reason.TRAPS),
        (lambda judge: lambda trial: 5 if trial.clip.role is Role.ANCHOR else judge(trial), Reason.REFERENCE),
        (lambda judge: lambda trial: judge(trial) if trial.is_trap or trial.scale is Scale.PREFERENCE else 3, Reason.ALL_SAME),
    ],
)
def test_who_does_not_listen_does_not_count_and_leaves_nothing(hall: Hall, people: list[str], careless, reason: Reason) -> None:
    sitting = hall.sittings.begin(CHINESE)
    hall.listen(sitting, careless(crowd(people).opinion()))
    verdict = sitting.finish()
    assert not verdict.accepted
    assert reason in verdict.reasons
    for who in people:
        with hall.room(who) as room:
            assert listeners(room.vault) == ()


def test_a_voice_that_is_taken_back_leaves_the_test_and_the_others_go_on(hall: Hall, people: list[str]) -> None:
    sitting = hall.sittings.begin(CHINESE)
    gone = people[0]
    before = sitting.progress[1]
    with hall.room(gone) as room:
        room.withdraw_consent(Purpose.LISTENING)
    hers = next(asked for asked in sitting._asked if asked.trial.speaker_id == gone)
    with pytest.raises(ConsentError, match="not in the test any more"):
        sitting.sound(next(iter(hers.sounds)))
    assert sitting.progress[1] < before
    assert gone not in {asked.trial.speaker_id for asked in sitting._asked}
    hall.listen(sitting, crowd(people).opinion())
    assert sitting.finish().voices in {0, 2}  # 0 if her traps or references were the only ones
    with hall.room(gone) as room:
        assert listeners(room.vault) == ()


def test_a_voice_that_is_taken_back_before_the_end_gets_nothing(hall: Hall, people: list[str]) -> None:
    sitting = hall.sittings.begin(CHINESE)
    hall.listen(sitting, crowd(people).opinion())
    hall.vault.end_work(people[1])
    verdict = sitting.finish()
    assert (verdict.accepted, verdict.voices) == (True, 2)


def test_a_full_disk_loses_nothing(hall: Hall, people: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sitting = hall.sittings.begin(CHINESE)
    hall.listen(sitting, crowd(people).opinion())
    tries = []

    def refuse(*_: object) -> None:
        tries.append(1)
        raise StorageError("the disk is full", hint="")

    with monkeypatch.context() as patched:
        patched.setattr("hometone_client.listening.sitting.keep_listener", refuse)
        with pytest.raises(StorageError):
            sitting.finish()
    verdict = sitting.finish()
    assert (verdict.accepted, verdict.voices) == (True, 3)
    for who in people:
        with hall.room(who) as room:
            assert len(listeners(room.vault)) == 1


def test_sessions_end_after_a_day_and_there_are_only_so_many(hall: Hall, people: list[str]) -> None:
    first = hall.sittings.begin(CHINESE)
    assert hall.sittings.find(first.token) is first
    for _ in range(MOST - 1):
        hall.sittings.begin(CHINESE)
    with pytest.raises(UsageError, match="too many"):
        hall.sittings.begin(CHINESE)
    hall.sittings.leave(first.token)
    with pytest.raises(UsageError, match="is over"):
        hall.sittings.find(first.token)
    last = hall.sittings.begin(CHINESE)
    hall.clock.now_s += LONGEST_S - 1
    assert hall.sittings.find(last.token) is last
    hall.clock.now_s += 1
    with pytest.raises(UsageError, match="is over"):
        hall.sittings.find(last.token)


def test_a_consent_that_has_ended_keeps_a_voice_out(hall: Hall, people: list[str]) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=366)
    assert len(heard_voices(hall.vault, hall.panel)) == 3
    assert heard_voices(hall.vault, hall.panel, now=lambda: later) == ()


def test_means_come_out_within_their_intervals(hall: Hall, people: list[str]) -> None:
    """95 % intervals over listeners hold the true means of rounded answers, and the hidden reference stands above the anchor."""
    middle = {Scale.NATURALNESS: 3.2, Scale.SIMILARITY: 3.0, Scale.PREFERENCE: 1.0, Scale.DIALECT: 3.1}
    shifts = dict(zip(people, (-0.5, 0.0, 0.5), strict=True))
    truth = {(who, scale): base + shift for who, shift in shifts.items() for scale, base in middle.items()}
    listeners_ = Crowd(truth, random.Random(9))
    held, all_means = 0, 0
    accepted = 0
    for _ in range(16):
        sitting = hall.sittings.begin(CHINESE)
        hall.listen(sitting, listeners_.opinion())
        accepted += sitting.finish().accepted
    assert accepted == 16
    for who in people:
        with hall.room(who) as room:
            report = panel_report(room)
        assert report.listeners == 16
        for scale in Scale:
            found = report.opinion(scale)
            assert found is not None
            all_means += 1
            held += found.mean.low <= truth[who, scale] <= found.mean.high
            assert abs(found.mean.value - truth[who, scale]) < 0.6
        reference, anchor = (report.opinion(Scale.NATURALNESS, role) for role in (Role.REFERENCE, Role.ANCHOR))
        assert reference is not None
        assert anchor is not None
        assert reference.mean.low > anchor.mean.high
        (measured, *_) = [each for each in report.measurements if each.role is Role.SYNTHETIC]
        assert measured.figures == {"error_rate": pytest.approx(0.1), "dnsmos": pytest.approx(3.0)}
    assert held >= all_means - 2


def test_random_clickers_are_screened_out_and_attentive_people_are_not(hall: Hall, people: list[str]) -> None:
    """docs/listening.md quotes the rates over ten thousand sessions."""
    from hometone_client.listening.screening import screen

    voices = heard_voices(hall.vault, hall.panel)
    chance = random.Random(12)
    sessions = 500

    def rate(kind: str) -> float:
        passed = 0
        for _ in range(sessions):
            trials = draw(hall.panel, voices, CHINESE, chance=chance)
            judge = clicker(chance) if kind == "clicker" else crowd_.opinion()
            passed += not screen([(trial, judge(trial)) for trial in trials])
        return passed / sessions

    crowd_ = crowd(people)
    clickers, attentive = rate("clicker"), rate("attentive")
    assert clickers < 0.03, clickers
    assert attentive > 0.97, attentive


def test_clips_and_answers_of_a_damaged_vault_are_said_so(hall: Hall, people: list[str]) -> None:
    from hometone_shared.errors import DamagedVaultError

    with hall.room(people[0]) as room:
        room.vault.put("listening-clip", "0" * 16, b"x", {"panel": hall.panel.number, "role": "unheard-of"})
        with pytest.raises(DamagedVaultError):
            clips_of(room.vault, hall.panel.number)
        for record in (
            {},
            [],
            {"panel": "x", "made": 1, "headphones": None, "knows": False, "ratings": [{"scale": "naturalness", "value": 9}]},
        ):
            room.vault.put_json("broken", record, kind="listening-rating")
            with pytest.raises(DamagedVaultError):
                listeners(room.vault)
    assert len(heard_voices(hall.vault, hall.panel)) == 2, "damage of one stops nobody else"


def test_nobody_has_judged_yet(hall: Hall, people: list[str]) -> None:
    with hall.room(people[0]) as room, pytest.raises(UsageError, match="nobody has judged"):
        panel_report(room)
