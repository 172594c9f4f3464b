"""What the coordinator's receipt says of the shared model: every round while she was known, with an epsilon computed here independently."""

import math

import pytest
from scipy.optimize import brentq
from scipy.stats import norm
from tests.plans import a_plan

from hometone_server.records.withdrawals import Registration
from hometone_server.rounds.order import Order
from hometone_server.withdrawal.history import UNKNOWN_DELTA, RoundHistory
from hometone_server.withdrawal.own_receipt import own_receipt
from hometone_shared.errors import UsageError
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import LARGEST_EPSILON, Pending, Treatment
from hometone_shared.records.tombstone import SharedModelWish

RUN = "0123456789abcdef"


def balle_wang(multipliers, delta):
    """Epsilon of several Gaussian releases by the closed form (Balle and Wang 2018, theorem 8)."""
    mu = math.sqrt(sum(multiplier**-2 for multiplier in multipliers))

    def excess(epsilon):
        return norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu) - delta

    return brentq(excess, 0, 100)


def plan_into(hall, **changes):
    envelope = a_plan(**changes).signed(hall.log._key)
    hall.log.append(envelope)
    return envelope.digest


def order(**changes):
    fields = {
        "purpose": RoundPurpose.MODEL,
        "rounds": 3,
        "dimension": 4,
        "clip_norm": 1.0,
        "noise_multiplier": 1.5,
        "epsilon": 8.0,
        "delta": 1e-4,
        "minimum_cohort": 5,
        "base_sha256": "aa" * 32,
        "basis_sha256": "bb" * 32,
    }
    return Order(**fields | changes)


def withdraw(hall, secret, **changes):
    filed = hall.withdrawals.take(hall.tombstone(secret, **changes))
    with hall.log.writing() as change:
        return filed, own_receipt(change, filed.digest)


def test_without_rounds_nothing_can_be_left(hall):
    plan_into(hall)
    secret = hall.speaker(hall.laptop())
    _, receipt = withdraw(hall, secret, wish=SharedModelWish.REPLAY)
    assert receipt.shared_model.treatment is Treatment.NONE
    assert receipt.shared_model.rounds == 0
    assert [item.what for item in receipt.pending] == [Pending.LAPTOP]


def test_all_rounds_between_count_and_no_others(hall):
    plan_into(hall, release=1)
    laptop = hall.laptop()
    secret = hall.speaker(laptop)
    plan_into(hall, release=2, round_number=2, noise_multiplier=2.0)
    plan_into(hall, release=3, round_number=3, noise_multiplier=3.0, purpose=RoundPurpose.BALANCE, clip_norm=2.0)
    exposure = hall.withdrawals.exposure(secret.pseudonym)
    _, receipt = withdraw(hall, secret)
    plan_into(hall, release=4, round_number=4)
    told = receipt.shared_model
    assert (told.treatment, told.rounds, told.delta, told.from_release) == (Treatment.BOUND, 2, UNKNOWN_DELTA, 2)
    expected = balle_wang([2.0, 3.0], UNKNOWN_DELTA)
    assert expected <= told.epsilon <= expected + 2e-3
    assert (exposure.rounds, exposure.epsilon) == (told.rounds, told.epsilon)
    assert hall.withdrawals.exposure("ab" * 16) is None


def test_what_the_journal_says_has_failed_does_not_count(hall):
    secret = hall.speaker(hall.laptop())
    journal = hall.journal()
    journal.add_campaign(RUN, order())
    digests = [plan_into(hall, round_number=number, noise_multiplier=4.0) for number in (1, 2, 3)]
    for number, (digest, ends) in enumerate(zip(digests, ("finished", "failed", ""), strict=True), start=1):
        attempt = (RUN, number, journal.begin_attempt(RUN, number))
        journal.note_plan(attempt, digest)
        if ends:
            journal.end_attempt(attempt, finished=ends == "finished", figures={})
    journal.close()
    _, receipt = withdraw(hall, secret)
    assert (receipt.shared_model.rounds, receipt.shared_model.delta) == (2, 1e-4)
    assert receipt.shared_model.epsilon == pytest.approx(balle_wang([4.0, 4.0], 1e-4), abs=2e-3)


def test_when_all_have_failed_there_were_none(hall):
    secret = hall.speaker(hall.laptop())
    journal = hall.journal()
    journal.add_campaign(RUN, order())
    attempt = (RUN, 1, journal.begin_attempt(RUN, 1))
    journal.note_plan(attempt, plan_into(hall))
    journal.end_attempt(attempt, finished=False, figures={})
    journal.close()
    assert withdraw(hall, secret)[1].shared_model.treatment is Treatment.NONE


def test_a_damaged_journal_counts_everything(hall):
    secret = hall.speaker(hall.laptop())
    plan_into(hall)
    hall.journal_path.write_bytes(b"rubbish " * 1000)
    assert withdraw(hall, secret)[1].shared_model.rounds == 1


def test_noise_too_weak_for_a_bound_is_said_so(hall):
    secret = hall.speaker(hall.laptop())
    plan_into(hall, noise_multiplier=0.01)
    assert withdraw(hall, secret)[1].shared_model.epsilon == LARGEST_EPSILON


def test_a_replay_waits_until_it_was_made(hall):
    secret, other = hall.speaker(hall.laptop()), hall.speaker(hall.laptop())
    plan_into(hall, release=5)
    filed, receipt = withdraw(hall, secret, wish=SharedModelWish.REPLAY)
    assert receipt.shared_model.treatment is Treatment.REPLAY_PENDING
    assert {item.what for item in receipt.pending} == {Pending.LAPTOP, Pending.REPLAY}
    second, _ = withdraw(hall, other, wish=SharedModelWish.REPLAY)
    hall.withdrawals.finish_replay([filed.digest, second.digest], replaced_by=9)
    with hall.log.writing() as change:
        after = own_receipt(change, filed.digest)
    assert (after.shared_model.treatment, after.shared_model.replaced_by, after.shared_model.from_release) == (Treatment.REPLAYED, 9, 5)
    assert [item.what for item in after.pending] == [Pending.LAPTOP]
    assert after.at > receipt.at
    head = hall.log.head()
    hall.withdrawals.finish_replay([filed.digest], replaced_by=9)
    assert hall.log.head() == head


def test_a_replay_without_a_model_round_is_not_promised(hall):
    secret = hall.speaker(hall.laptop())
    plan_into(hall, purpose=RoundPurpose.EVALUATION, clip_norm=4.0)
    filed, receipt = withdraw(hall, secret, wish=SharedModelWish.REPLAY)
    assert receipt.shared_model.treatment is Treatment.BOUND
    with pytest.raises(UsageError):
        hall.withdrawals.finish_replay([filed.digest], replaced_by=1)
    with pytest.raises(UsageError):
        hall.withdrawals.finish_replay(["ab" * 32], replaced_by=1)


def test_a_withdrawal_that_is_not_about_the_shared_model_says_nothing_of_it(hall):
    secret = hall.speaker(hall.laptop())
    plan_into(hall)
    filed, receipt = withdraw(hall, secret, scope=frozenset({Purpose.ARCHIVE}), wish=SharedModelWish.REPLAY)
    assert receipt.shared_model is None
    with pytest.raises(UsageError):
        hall.withdrawals.finish_replay([filed.digest], replaced_by=1)


def test_a_round_that_was_open_when_she_came_counts(hall):
    """Laptops register a speaker when they are asked to take part, which is after the plan is in the log."""
    digest = plan_into(hall, deadline=hall.clock.now + 100, noise_multiplier=3.0)
    plan_into(hall, deadline=hall.clock.now - 1, round_number=2)
    secret = hall.speaker(hall.laptop())
    assert hall.withdrawals.exposure(secret.pseudonym).rounds == 1
    journal = hall.journal()
    journal.add_campaign(RUN, order())
    hall.clock.now -= 50
    attempt = (RUN, 1, journal.begin_attempt(RUN, 1))
    journal.note_plan(attempt, digest)
    assert hall.withdrawals.exposure(secret.pseudonym).rounds == 1
    journal.end_attempt(attempt, finished=True, figures={})
    assert hall.withdrawals.exposure(secret.pseudonym) is None, "it had ended before she came"
    hall.clock.now += 60
    journal.end_attempt(attempt, finished=True, figures={})
    journal.close()
    assert hall.withdrawals.exposure(secret.pseudonym).rounds == 1


def test_plans_are_read_once(hall):
    history = RoundHistory(hall.log, journal=hall.journal_path)
    long_ago = Registration(position=-1, registered_s=0)
    plan_into(hall)
    assert history.exposure(long_ago, before=100).rounds == 1
    plan_into(hall, round_number=2)
    assert history.exposure(long_ago, before=100).rounds == 2
    assert [each.position for each in history._plans] == [0, 1]
