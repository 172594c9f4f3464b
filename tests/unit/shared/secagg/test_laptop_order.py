"""The laptop's stages come once, in order, and leave nothing secret behind; answers are as long whatever is inside."""

import numpy as np
import pytest

from hometone_shared.errors import FederationError, ProtocolError
from hometone_shared.secagg.aggregator import Aggregator
from hometone_shared.secagg.participant import Participant
from hometone_shared.secagg.refusal import Refusal


def test_a_replayed_stage(cohort, over):
    calls = {
        "roster": lambda each, round_: each.share(round_.requests["roster"], directory=round_.directory),
        "mask": lambda each, round_: each.receive_shares(round_.requests["mask"][each.device]),
        "survivors": lambda each, round_: each.sign(round_.requests["survivors"]),
        "unmask": lambda each, round_: each.unmask(round_.requests["unmask"]),
    }
    for stage, call in calls.items():
        round_ = cohort(devices=3).until(stage)
        participant = round_.here[round_.everybody[0]]
        call(participant, round_)
        with pytest.raises(Refusal) as caught:
            call(participant, round_)
        assert caught.value.code == "order"
        over(participant)


def test_nothing_can_be_skipped(cohort, refused):
    for stage, args, named in (
        ("share", ({"advertisements": []},), {"directory": {}}),
        ("receive_shares", ({"participants": [], "shares": {}},), {}),
        ("mask", (None,), {}),
        ("sign", ({"survivors": []},), {}),
        ("unmask", ({"signatures": {}},), {}),
    ):
        round_ = cohort(devices=3)
        participant = round_.here[round_.everybody[0]]
        with pytest.raises(Refusal) as caught:
            _ = participant.roster
        assert caught.value.code == "order"
        refused(participant, "order", stage, *args, **named)


def test_the_vector_is_asked_for_once(refused, mask_requests):
    round_, requests = mask_requests()
    participant = round_.here[round_.everybody[0]]
    participant.receive_shares(requests[participant.device])
    participant.mask(round_.update(np.zeros(5)))
    refused(participant, "order", "mask", round_.update(np.ones(5)))


def test_who_leaves_in_the_middle_of_a_stage_answers_nothing(cohort, refused, mask_requests):
    """Consent may be withdrawn in another thread while a stage runs."""
    round_ = cohort(devices=3)
    request = round_.offer()
    participant = round_.here[round_.everybody[0]]

    class Directory(dict):
        def get(self, device, default=None):
            participant.close()
            return super().get(device, default)

    refused(participant, "order", "share", request, directory=Directory(round_.directory))

    round_, requests = mask_requests()
    last = round_.here[round_.everybody[0]]
    last.receive_shares(requests[last.device])

    class Update:
        plan_digest = round_.digest

        @property
        def residues(self):
            last.close()
            return np.zeros(5, np.uint32)

    refused(last, "order", "mask", Update())


def test_a_stage_asked_for_again_while_it_runs(cohort, refused):
    round_ = cohort(devices=5)
    request = round_.offer()
    participant = round_.here[round_.everybody[0]]
    inner = []

    class Directory(dict):
        def get(self, device, default=None):
            if not inner:
                inner.append(device)
                with pytest.raises(Refusal):
                    participant.share(request, directory=round_.directory)
            return super().get(device, default)

    refused(participant, "order", "share", request, directory=Directory(round_.directory))
    assert inner


def test_close_forgets(cohort, over):
    round_ = cohort(devices=3).until("survivors")
    for participant in round_.here.values():
        participant.close()
        over(participant)


def test_secrets_go_as_soon_as_they_are_of_no_use(cohort, forgot):
    round_ = cohort(devices=3).until("survivors")
    for participant in round_.here.values():
        assert participant._secrets is None
    round_.signatures(set(round_.here))
    round_.unmask(set(round_.here))
    for participant in round_.here.values():
        forgot(participant)


def test_a_foreign_error_ends_the_round_too(cohort, over):
    round_ = cohort(devices=3)
    request = round_.offer()
    participant = round_.here[round_.everybody[0]]

    class Directory(dict):
        def get(self, device, default=None):
            raise MemoryError

    with pytest.raises(MemoryError):
        participant.share(request, directory=Directory())
    over(participant)


def test_a_digest_that_is_none(cohort, key_of):
    round_ = cohort(devices=2)
    for digest in ("", "0" * 63, "G" * 64, None):
        with pytest.raises(ProtocolError):
            Participant(plan=round_.plan, plan_digest=digest, signing_key=key_of(0), speakers=1)
        with pytest.raises(ProtocolError):
            Aggregator(plan=round_.plan, plan_digest=digest, directory={})


def test_lengths_do_not_tell_what_is_inside(cohort):
    """Every answer is as long for zeros as for anything else."""
    lengths = []
    for value in (0, 1, -(2**31), 2**31 - 1):
        round_ = cohort(devices=4)
        inputs = {device: np.full(5, value if at % 2 else -value) for at, device in enumerate(round_.everybody)}
        round_.run(inputs)
        lengths.append({(stage, who): len(str(answer)) if stage != "mask" else len(answer)
                        for stage, answers in round_.answers.items() for who, answer in answers.items()})  # fmt: skip
    assert lengths[0] == lengths[1] == lengths[2] == lengths[3]
    assert {length for (stage, _), length in lengths[0].items() if stage == "mask"} == {20}


def test_refusals_do_not_reach_the_sum(cohort):
    """A cheat that laptops notice costs the coordinator the round, not anybody's privacy."""
    round_ = cohort(devices=4)
    request = round_.offer()
    request["advertisements"][0]["speakers"] += 1
    refusals = 0
    for participant in round_.here.values():
        try:
            round_.aggregator.add_shares(participant.device, participant.share(request, directory=round_.directory))
        except Refusal:
            refusals += 1
    assert refusals == 4
    with pytest.raises(FederationError):
        round_.aggregator.close_shares()
