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

from hometone_client.speakers.consent import Consent, Purpose, consent_text, give_consent, require_purpose, sign_consent, verify_consent
from hometone_shared.errors import ConsentError

NOW = dt.datetime(2026, 3, 1, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=8)))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def test_the_record_names_what_was_shown_and_when_it_ends() -> None:
    consent = give_consent(locale="zh", now=NOW, days=30)
    record = json.loads(consent.to_bytes())
    assert record == {
        "version": 1,
        "purposes": ["own-voice"],
        "locale": "zh",
        "text_version": 1,
        "text_sha256": hashlib.sha256(consent_text(Purpose.OWN_VOICE, "zh").encode()).hexdigest(),
        "given": "2026-03-01T01:30:00+00:00",
        "expires": "2026-03-31T01:30:00+00:00",
    }


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_the_text_says_how_to_end_it(locale: str) -> None:
    assert "hometone revoke" in consent_text(Purpose.OWN_VOICE, locale)  # type: ignore[arg-type]


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
