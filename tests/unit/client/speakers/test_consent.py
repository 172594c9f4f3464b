"""Requirements 52 and 53: consent is versioned, bound to purposes, signed, ends, and is never assumed."""

import base64
import dataclasses
import datetime as dt
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.speakers.consent import (
    Consent,
    Purpose,
    SpokenCheck,
    consent_text,
    give_consent,
    require_purpose,
    sign_consent,
    verify_consent,
)
from hometone_shared.errors import ConsentError

NOW = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def test_the_record_names_what_was_shown_and_when_it_ends() -> None:
    consent = give_consent(locale="zh", now=NOW, days=30)
    record = json.loads(consent.to_bytes())
    assert record == {
        "version": 2,
        "spoken": None,
        "purposes": ["own-voice"],
        "locale": "zh",
        "text_version": 1,
        "text_sha256": hashlib.sha256(consent_text(Purpose.OWN_VOICE, "zh").encode()).hexdigest(),
        "given": "2026-03-01T01:30:00+00:00",
        "expires": "2026-03-31T01:30:00+00:00",
    }


def test_a_record_of_version_1_is_still_read() -> None:
    fields = json.loads(give_consent(locale="zh", now=NOW, days=30).to_bytes())
    del fields["spoken"]
    old = json.dumps(fields | {"version": 1}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    consent = Consent.from_bytes(old)
    assert consent == give_consent(locale="zh", now=NOW, days=30)
    assert consent.spoken is None
    signature = KEY.sign(b"hometone/consent/v1\0" + old)
    envelope = json.dumps({"record": base64.b64encode(old).decode(), "signature": base64.b64encode(signature).decode()}).encode()
    assert verify_consent(envelope, KEY.public_key()) == consent
    require_purpose(consent, Purpose.OWN_VOICE, now=NOW)


@pytest.mark.parametrize("change", [{"version": 3}, {"version": 0}, {"version": True}, {"version": "2"}, {"spoken": {}}, {"spoken": 1}])
def test_records_of_no_known_shape_are_refused(change: dict[str, object]) -> None:
    fields = json.loads(give_consent(locale="en", now=NOW).to_bytes()) | change
    with pytest.raises(ConsentError, match="cannot be read"):
        Consent.from_bytes(json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


SPOKEN = SpokenCheck(phrase_sha256="ab" * 32, word_errors=1 / 6, likeness=0.9123, at=NOW.astimezone(dt.UTC))


def test_how_it_was_spoken_is_part_of_the_signed_record() -> None:
    consent = give_consent(locale="en", now=NOW, purpose=Purpose.ANNOUNCEMENTS, spoken=SPOKEN)
    assert json.loads(consent.to_bytes())["spoken"] == {
        "phrase_sha256": "ab" * 32,
        "word_errors": 0.167,
        "likeness": 0.912,
        "at": "2026-03-01T01:30:00+00:00",
    }
    read = verify_consent(sign_consent(consent, KEY), KEY.public_key())
    assert read.spoken == dataclasses.replace(SPOKEN, word_errors=0.167, likeness=0.912)
    require_purpose(read, Purpose.ANNOUNCEMENTS, now=NOW)


@pytest.mark.parametrize("purpose", [Purpose.ANNOUNCEMENTS, Purpose.ARCHIVE])
def test_what_lets_others_use_a_voice_is_agreed_to_aloud(purpose: Purpose) -> None:
    with pytest.raises(ConsentError, match="given aloud"):
        give_consent(locale="en", now=NOW, purpose=purpose)
    silent = dataclasses.replace(give_consent(locale="en", now=NOW, purpose=purpose, spoken=SPOKEN), spoken=None)
    with pytest.raises(ConsentError, match="given aloud"):
        require_purpose(silent, purpose, now=NOW)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_each_purpose_is_refused_by_name_with_the_way_to_ask(purpose: Purpose) -> None:
    with pytest.raises(ConsentError, match=purpose.value) as refused:
        require_purpose(None, purpose, now=NOW)
    assert "hometone " in refused.value.hint
    ended = give_consent(locale="en", now=NOW, days=1, purpose=purpose, spoken=SPOKEN)
    with pytest.raises(ConsentError, match="ended"):
        require_purpose(ended, purpose, now=NOW + dt.timedelta(days=2))


@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.parametrize("purpose", list(Purpose))
def test_every_text_says_how_to_end_it(purpose: Purpose, locale: str) -> None:
    assert "hometone revoke" in consent_text(purpose, locale)  # type: ignore[arg-type]


@pytest.mark.parametrize(("locale", "words"), [("en", "cannot be called back"), ("zh", "无法召回")])
@pytest.mark.parametrize("purpose", [Purpose.OWN_VOICE, Purpose.ANNOUNCEMENTS, Purpose.ARCHIVE])
def test_texts_say_that_a_copied_file_cannot_be_called_back(purpose: Purpose, locale: str, words: str) -> None:
    assert words in consent_text(purpose, locale)  # type: ignore[arg-type]


def test_a_signed_record_comes_back_and_no_other_key_opens_it() -> None:
    consent = give_consent(locale="en", now=NOW)
    envelope = sign_consent(consent, KEY)
    assert verify_consent(envelope, KEY.public_key()) == consent
    with pytest.raises(ConsentError, match="not signed by this speaker"):
        verify_consent(envelope, Ed25519PrivateKey.generate().public_key())


def test_a_changed_record_is_refused() -> None:
    consent = give_consent(locale="en", now=NOW, days=10)
    fields = json.loads(sign_consent(consent, KEY))
    longer = dataclasses.replace(consent, expires=consent.expires + dt.timedelta(days=300))
    fields["record"] = base64.b64encode(longer.to_bytes()).decode()
    with pytest.raises(ConsentError):
        verify_consent(json.dumps(fields).encode(), KEY.public_key())


@given(st.binary(max_size=300))
def test_foreign_bytes_are_a_consent_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ConsentError):
        verify_consent(data, KEY.public_key())
    with pytest.raises(ConsentError):
        Consent.from_bytes(data)


@pytest.mark.parametrize("days", [0, 366, -1])
def test_it_holds_for_a_year_at_most(days: int) -> None:
    with pytest.raises(ConsentError):
        give_consent(locale="en", now=NOW, days=days)


def test_a_purpose_holds_between_beginning_and_end_only() -> None:
    consent = give_consent(locale="en", now=NOW, days=1)
    require_purpose(consent, Purpose.OWN_VOICE, now=NOW + dt.timedelta(hours=23))
    with pytest.raises(ConsentError, match="ended on 2026-03-02"):
        require_purpose(consent, Purpose.OWN_VOICE, now=NOW + dt.timedelta(days=1))
    with pytest.raises(ConsentError, match="future"):
        require_purpose(consent, Purpose.OWN_VOICE, now=NOW - dt.timedelta(hours=1))
    with pytest.raises(ConsentError, match="not consented"):
        require_purpose(None, Purpose.OWN_VOICE, now=NOW)
    with pytest.raises(ConsentError, match="not consented"):
        require_purpose(dataclasses.replace(consent, purposes=()), Purpose.OWN_VOICE, now=NOW)
