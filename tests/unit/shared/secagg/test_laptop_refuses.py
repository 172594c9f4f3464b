"""A coordinator that cheats: each trick is refused with the code of the protocol, and the laptop's round is over."""

import base64
from dataclasses import replace

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hometone_shared.secagg.roster import Advertisement, device_id
from hometone_shared.updates import NoisyUpdate


def resigned(document, key, digest, **change):
    """An advertisement with other fields, signed again."""
    read = Advertisement.from_document(document)
    fields = {name: getattr(read, name) for name in ("mask_key", "seal_key", "commitment", "speakers")} | change
    return Advertisement.signed(key, plan_digest=digest, **fields).to_document()


def fresh_key():
    return X25519PrivateKey.generate().public_key().public_bytes_raw()


# Stage roster.


def test_keys_of_a_peer_are_swapped(cohort, refused):
    for name in ("mask_key", "seal_key", "commitment"):
        round_ = cohort(devices=4)
        request = round_.offer()
        request["advertisements"][1][name] = base64.b64encode(fresh_key()).decode()
        refused(round_.here[round_.everybody[0]], "roster", "share", request, directory=round_.directory)


def test_a_peer_is_invented(cohort, refused):
    round_ = cohort(devices=3)
    request = round_.offer()
    key = Ed25519PrivateKey.generate()
    invented = resigned(request["advertisements"][0], key, round_.digest, mask_key=fresh_key(), seal_key=fresh_key())
    request["advertisements"] = sorted([*request["advertisements"], invented], key=lambda each: each["device"])
    refused(round_.here[round_.everybody[0]], "roster", "share", request, directory=round_.directory)


def test_a_revoked_peer(cohort, refused):
    round_ = cohort(devices=3)
    request = round_.offer()
    directory = {device: key for device, key in round_.directory.items() if device != round_.everybody[2]}
    refused(round_.here[round_.everybody[0]], "roster", "share", request, directory=directory)


def test_the_own_advertisement_is_left_out_or_altered(cohort, key_of, refused):
    round_ = cohort(devices=4)
    request = round_.offer()
    for number in range(4):
        device = device_id(key_of(number).public_key().public_bytes_raw())
        others = [each for each in request["advertisements"] if each["device"] != device]
        refused(round_.here[device], "roster", "share", {"advertisements": others}, directory=round_.directory)
    round_ = cohort(devices=4)
    request = round_.offer()
    key = key_of(0)
    device = device_id(key.public_key().public_bytes_raw())
    # Well signed, as though the identity had leaked: only the memory of the own keys helps.
    for at, document in enumerate(request["advertisements"]):
        if document["device"] == device:
            request["advertisements"][at] = resigned(document, key, round_.digest, speakers=2)
    refused(round_.here[device], "roster", "share", request, directory=round_.directory)


def test_a_cohort_that_is_too_small(cohort, refused):
    round_ = cohort(devices=3)
    request = round_.offer()
    strict = replace(round_.plan, minimum_cohort=4)
    participant = round_.here[round_.everybody[0]]
    participant._plan = strict
    refused(participant, "roster", "share", request, directory=round_.directory)


def test_duplicate_and_zero_keys_of_a_corrupt_device(cohort, key_of, refused):
    for change in ("copy", "zero"):
        round_ = cohort(devices=3)
        request = round_.offer()
        corrupt, victim = round_.everybody[0], round_.everybody[1]
        key = next(each for each in map(key_of, range(3)) if device_id(each.public_key().public_bytes_raw()) == corrupt)
        mask_key = base64.b64decode(request["advertisements"][1]["mask_key"]) if change == "copy" else bytes(32)
        request["advertisements"][0] = resigned(request["advertisements"][0], key, round_.digest, mask_key=mask_key)
        refused(round_.here[victim], "roster", "share", request, directory=round_.directory)


def test_an_advertisement_of_another_attempt(cohort, refused):
    earlier, round_ = cohort(devices=3, attempt=1), cohort(devices=3, attempt=2)
    old, request = earlier.offer(), round_.offer()
    request["advertisements"][2] = old["advertisements"][2]
    refused(round_.here[round_.everybody[0]], "roster", "share", request, directory=round_.directory)


def test_two_views_of_the_roster_never_meet(cohort, refused):
    """Half the laptops see one roster, half another: neither view finds enough signatures, and sealed shares do not cross over."""
    round_ = cohort(devices=7)
    request = round_.offer()
    views = [{"advertisements": request["advertisements"][:6]}, {"advertisements": request["advertisements"][1:]}]
    shares, inside = {}, {}
    for at, device in enumerate(round_.everybody):
        inside[device] = 0 if at < 4 else 1
        shares[device] = round_.here[device].share(views[inside[device]], directory=round_.directory)["shares"]
    for victim, view in ((round_.everybody[1], 0), (round_.everybody[5], 1)):
        listed = [each["device"] for each in views[view]["advertisements"]]
        given = {each: shares[each][victim] for each in listed if each != victim}
        refused(round_.here[victim], "shares", "receive_shares", {"participants": listed, "shares": given})


# Stage mask.


def test_participants_who_are_not_what_they_should_be(refused, mask_requests):
    for change in (
        lambda listed, me: [each for each in listed if each != me],
        lambda listed, me: [me, *[each for each in listed if each != me][:2]],
        lambda listed, _: listed[::-1],
        lambda listed, _: [listed[0], *listed],
        lambda listed, _: sorted([*listed, "0" * 32]),
        lambda _, __: "abc",
        lambda _, __: [1, 2, 3],
        lambda _, __: None,
    ):
        round_, requests = mask_requests()
        me = round_.everybody[2]
        request = requests[me] | {"participants": change(requests[me]["participants"], me)}
        refused(round_.here[me], "participants", "receive_shares", request)


def test_shares_that_are_not_what_they_should_be(refused, mask_requests):
    earlier, old = mask_requests()

    def swap(shares):
        first, second = list(shares)[:2]
        return shares | {first: shares[second], second: shares[first]}

    for change in (
        lambda shares: dict(list(shares.items())[1:]),
        lambda shares: shares | {"0" * 32: next(iter(shares.values()))},
        swap,
        lambda shares: shares | {next(iter(shares)): "AAAA"},
        lambda shares: shares | {next(iter(shares)): None},
        lambda shares: shares | {next(iter(shares)): base64.b64encode(bytes(114)).decode()},
        lambda _: old[earlier.everybody[2]]["shares"],
    ):
        round_, requests = mask_requests()
        me = round_.everybody[2]
        refused(round_.here[me], "shares", "receive_shares", requests[me] | {"shares": change(dict(requests[me]["shares"]))})


def test_shares_for_somebody_else(refused, mask_requests):
    round_, requests = mask_requests()
    me, other = round_.everybody[:2]
    shares = dict(requests[other]["shares"])
    shares[other] = shares.pop(me)
    refused(round_.here[me], "shares", "receive_shares", requests[me] | {"shares": shares})


def test_a_vector_of_another_plan_or_length(refused, mask_requests):
    for residues, digest in ((np.zeros(5, np.uint32), "0" * 64), (np.zeros(4, np.uint32), None), (np.zeros(0, np.uint32), None)):
        round_, requests = mask_requests()
        participant = round_.here[round_.everybody[0]]
        participant.receive_shares(requests[participant.device])
        refused(participant, "order", "mask", NoisyUpdate(residues, digest or round_.digest))


def test_the_vector_that_came_in_is_left_alone(mask_requests):
    round_, requests = mask_requests()
    participant = round_.here[round_.everybody[0]]
    participant.receive_shares(requests[participant.device])
    update = round_.update([1, -1, 0, 2, 3])
    masked = participant.mask(update)
    assert np.array_equal(update.residues, round_.update([1, -1, 0, 2, 3]).residues)
    assert masked.plan_digest == round_.digest
    assert not np.array_equal(masked.residues, update.residues)


# Stages survivors and unmask.


def test_survivors_who_are_not_what_they_should_be(cohort, refused):
    for change in (
        lambda listed, me: [each for each in listed if each != me],
        lambda listed, me: sorted([me, *[each for each in listed if each != me][:2]]),
        lambda listed, _: listed[::-1],
        lambda listed, _: [*listed, listed[-1]],
        lambda listed, _: sorted([*listed, "f" * 32]),
        lambda _, __: {},
    ):
        round_ = cohort(devices=5).until("survivors")
        me = round_.everybody[1]
        refused(round_.here[me], "survivors", "sign", {"survivors": change(round_.requests["survivors"]["survivors"], me)})


def test_survivors_who_did_not_take_part(cohort, refused):
    round_ = cohort(devices=5)
    round_.offer()
    round_.shares(set(round_.everybody[:4]))
    round_.masks(set(round_.everybody[:4]))
    refused(round_.here[round_.everybody[0]], "survivors", "sign", {"survivors": round_.everybody})


def test_a_victim_both_alive_and_dead(cohort, refused):
    """A second set of survivors is never signed, and shares are opened for the signed set alone."""
    round_ = cohort(devices=7).until("survivors")
    everybody = round_.everybody
    without = everybody[1:]
    first, second = round_.here[everybody[5]], round_.here[everybody[6]]
    first.sign({"survivors": everybody})
    refused(first, "order", "sign", {"survivors": without})

    signed = {device: round_.here[device].sign({"survivors": without})["signature"] for device in everybody[1:6] if device != first.device}
    second.sign({"survivors": everybody})
    refused(second, "signatures", "unmask", {"signatures": signed})


def test_two_views_of_the_participants_never_meet(refused, mask_requests):
    """Some are told that a laptop takes part, others that it does not: their signatures are not over the same words."""
    round_, requests = mask_requests(devices=7)
    left_out = round_.everybody[0]
    here = round_.everybody[1:]
    signed = {}
    for at, device in enumerate(here):
        request = requests[device]
        if at >= 3:
            listed = [each for each in request["participants"] if each != left_out]
            request = {"participants": listed, "shares": {each: share for each, share in request["shares"].items() if each != left_out}}
        round_.here[device].receive_shares(request)
        round_.here[device].mask(round_.update(np.zeros(5)))
        signed[device] = round_.here[device].sign({"survivors": here})["signature"]
    for device in here:
        refused(round_.here[device], "signatures", "unmask", {"signatures": signed})


def test_too_few_or_wrong_signatures(cohort, refused):
    def few(signatures, _):
        return dict(list(signatures.items())[:3])

    def swapped(signatures, _):
        first, second = list(signatures)[:2]
        return signatures | {first: signatures[second], second: signatures[first]}

    def one_bad(signatures, _):
        return signatures | {next(iter(signatures)): base64.b64encode(bytes(64)).decode()}

    def stranger(signatures, _):
        return signatures | {"0" * 32: next(iter(signatures.values()))}

    def other_set(signatures, earlier):
        return signatures | {device: earlier[device] for device in list(signatures)[:1]}

    earlier = cohort(devices=5, attempt=9).until("survivors")
    old = earlier.signatures(set(earlier.here))["signatures"]
    for change in (few, swapped, one_bad, stranger, other_set, lambda _, __: {}, lambda s, _: dict.fromkeys(s, 7), lambda _, __: []):
        round_ = cohort(devices=5).until("survivors")
        signatures = round_.signatures(set(round_.here))["signatures"]
        refused(round_.here[round_.everybody[0]], "signatures", "unmask", {"signatures": change(signatures, old)})


def test_a_participant_who_is_gone_does_not_count_as_a_signer(cohort, refused):
    round_ = cohort(devices=7)
    round_.offer()
    left = set(round_.here)
    round_.shares(left)
    left -= {round_.everybody[0]}
    round_.masks(left)
    signatures = round_.signatures(left)["signatures"]
    some = dict(list(signatures.items())[1:]) | {round_.everybody[0]: next(iter(signatures.values()))}
    refused(round_.here[round_.everybody[3]], "signatures", "unmask", {"signatures": some})


def test_one_share_of_everybody_never_both(cohort, over):
    round_ = cohort(devices=7)
    round_.offer()
    left = set(round_.here)
    round_.shares(left)
    gone = set(round_.everybody[:2])
    left -= gone
    round_.masks(left)
    request = round_.signatures(left)
    for device in left:
        answer = round_.here[device].unmask(request)
        assert set(answer["mask_key_shares"]) == gone
        assert set(answer["self_mask_shares"]) == left
        over(round_.here[device])
