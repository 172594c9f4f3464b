"""The page for people without their laptop: three steps, two languages, no scripts, and nothing of a code in any log or address."""

import logging
import re
from html.parser import HTMLParser

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.plans import a_plan

from hometone_server.records.refusals import FilingRefusedError
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.errors import StorageError
from hometone_shared.pages.words import preferred_language
from hometone_shared.records.device import DeviceEntry
from hometone_shared.records.receipt import Treatment
from hometone_shared.records.registration import RegistrationRequest
from hometone_shared.records.tombstone import SharedModelWish
from hometone_shared.withdrawal.receipt_bundle import ReceiptBundle
from hometone_shared.withdrawal.recovery import RecoverySecret


class Reader(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.fields = [], [], "", {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "input" and attributes.get("type") == "hidden":
            self.fields.setdefault(attributes["name"], []).append(attributes["value"])
        if tag == "button" and "name" in attributes:
            self.fields.setdefault(attributes["name"], []).append(attributes["value"])
        if tag == "input" and attributes.get("type") == "radio":
            self.fields.setdefault("wish", []).append(attributes["value"])

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.text += data


class Typed(HTMLParser):
    """What stands in the field of a page; the first line end belongs to the markup."""

    def __init__(self, text):
        super().__init__()
        self.is_inside, self.text = False, ""
        self.feed(text)
        self.text = self.text.removeprefix("\n")

    def handle_starttag(self, tag, attrs):
        self.is_inside = tag == "textarea"

    def handle_endtag(self, tag):
        self.is_inside = False

    def handle_data(self, data):
        self.text += data if self.is_inside else ""


@pytest.fixture
def secret(log, home):
    """Somebody who is registered."""
    laptop = Ed25519PrivateKey.generate()
    raw = laptop.public_key().public_bytes_raw()
    log.append(DeviceEntry(signing_key=raw, node_key_sha256=raw.hex()).signed(home.signing_key({})))
    secret = RecoverySecret.generate()
    Withdrawals.open(home, log).register(RegistrationRequest.make(coordinator_key=log.key, secret=secret, device_key=laptop))
    return secret


@pytest.fixture
def visit(gateway):
    def ask(fields=None, *, lang="", accept="en", peer="192.0.2.1", content=None):
        async def answer():
            transport = httpx.ASGITransport(gateway.app, client=(peer, 1))
            async with httpx.AsyncClient(transport=transport, base_url="https://voices.example.org/hometone") as client:
                query = f"?lang={lang}" if lang else ""
                headers = {"Accept-Language": accept}
                if fields is None and content is None:
                    return await client.get("/withdraw" + query, headers=headers)
                if content is not None:
                    return await client.post("/withdraw" + query, content=content, headers=headers)
                return await client.post("/withdraw" + query, data=fields, headers=headers)

        return anyio.run(answer)

    return ask


def test_three_steps(visit, log, secret, gateway):
    first = visit()
    assert first.status_code == 200
    assert "HR1" in first.text
    size = log.checkpoint().size
    second = visit({"step": "preview", "code": secret.code()})
    assert second.status_code == 200
    assert secret.pseudonym in second.text
    assert "This cannot be undone" in second.text
    assert log.checkpoint().size == size, "looking changes nothing"
    fields = Reader(second.text).fields
    assert fields["code"] == [secret.code()]
    third = visit({"step": "confirm", "code": fields["code"][0]})
    assert third.status_code == 200
    assert "You have withdrawn" in third.text
    assert "no round of learning" in third.text
    (address,) = re.findall(r'href="([^"?]+)" download', third.text)
    assert address == f"/hometone/v1/withdrawals/{secret.pseudonym}"
    verified = ReceiptBundle.from_bytes(gateway.ask("GET", f"/withdrawals/{secret.pseudonym}").content).verified(log.key)
    assert verified.tombstone.shared_model is SharedModelWish.LEAVE
    head = log.head()
    again = visit({"step": "confirm", "code": secret.code()})
    assert "has been withdrawn" in again.text
    assert visit({"step": "preview", "code": secret.code()}).text == again.text
    assert log.head() == head, "twice is once"


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_the_twelve_words_do_as_well(visit, secret, locale):
    assert "You have withdrawn" in visit({"step": "confirm", "code": secret.words(locale)}).text


def test_the_choice_about_the_shared_model(visit, log, home, secret, gateway):
    assert 'type="radio"' not in visit({"step": "preview", "code": secret.code()}).text
    log.append(a_plan(noise_multiplier=2.0).signed(home.signing_key({})))
    preview = visit({"step": "preview", "code": secret.code()}).text
    assert "1 round(s)" in preview
    assert "epsilon" in preview
    assert Reader(preview).fields["wish"] == ["leave", "replay"]
    log.append(a_plan(noise_multiplier=0.05, round_number=2).signed(home.signing_key({})))
    assert "hardly" in visit({"step": "preview", "code": secret.code()}).text
    done = visit({"step": "confirm", "code": secret.code(), "wish": "replay"})
    assert "repeated without you" in done.text
    verified = ReceiptBundle.from_bytes(gateway.ask("GET", f"/withdrawals/{secret.pseudonym}").content).verified(log.key)
    assert verified.tombstone.shared_model is SharedModelWish.REPLAY
    assert verified.answers[-1].treatment.treatment is Treatment.REPLAY_PENDING
    Withdrawals.open(home, log).finish_replay([verified.tombstone.signed(secret.withdrawal_key()).digest], replaced_by=3)
    assert "repeated without you." in visit({"code": secret.code()}).text


def test_a_withdrawal_that_leaves_the_shared_model_says_its_bound(visit, log, home, secret):
    log.append(a_plan(noise_multiplier=2.0).signed(home.signing_key({})))
    assert "bounded by noise" in visit({"step": "confirm", "code": secret.code()}).text
    assert "epsilon" in visit({"code": secret.code()}).text


def wrong_codes(secret):
    code = secret.code()
    yield ""
    yield "HR1"
    yield code[:-1] + ("0" if code[-1] != "0" else "2")
    yield code + "A"
    yield "zoo " * 12
    yield "<script>alert(1)</script>"
    yield "HT1-ABCDE"
    yield "x" * 900


def test_wrong_codes_are_said_so(visit, log, secret):
    size = log.checkpoint().size
    for code in wrong_codes(secret):
        answer = visit({"step": "confirm", "code": code})
        assert answer.status_code == 400
        assert "has a mistake" in answer.text
        assert "<script" not in answer.text
        assert Typed(answer.text).text == code[:800], "what was typed is kept"
        assert answer.headers["cache-control"] == "no-store"
    for content in (b"\xff\xfe", b"step=confirm&code=%FF", b"a=1&" * 50, b"x" * 20_000):
        assert visit(content=content).status_code == 400
    stranger = visit({"step": "confirm", "code": RecoverySecret.generate().code()})
    assert stranger.status_code == 403
    assert "nobody is registered" in stranger.text
    assert Typed(stranger.text).text.startswith("HR1-")
    assert log.checkpoint().size == size


def swapped(words, place, word):
    return " ".join([*words[: place - 1], word, *words[place:]])


def test_where_the_mistake_is(visit, secret):
    code, words = secret.code(), secret.words("en").split()
    groups = code.split("-")
    short = visit({"code": "-".join([*groups[:3], groups[3][:4], *groups[4:]])}).text
    assert "there are 28 characters; you have typed 27" in short
    assert f"Group 3 after HR1; you have typed: {groups[3][:4]}" in short
    assert "Group 2" not in short
    assert "The letter U is never used" in visit({"code": code[:4] + "U" + code[5:]}).text
    unknown = visit({"code": swapped(words, 5, "elephent")}).text
    assert "Word 5, “elephent”. Perhaps: elephant" in unknown
    assert "Word 5, “qqqqq”<" in visit({"code": swapped(words, 5, "qqqqq")}).text
    assert "you have typed 11" in visit({"code": " ".join(words[:11])}).text
    assert "invitation for a laptop" in visit({"code": "HT1-ABCDE"}).text
    assert "Nothing is typed yet" in visit({"code": " "}).text
    assert "far too long" in visit({"code": "x" * 900}).text
    assert "belongs to no code" in visit({"code": "!"}).text
    assert "Each of the twelve words can be there" in visit({"code": "abandon " * 12}).text
    chinese = visit({"code": "的" * 11 + "龘"}, lang="zh").text
    assert "第 12 个词：“龘”" in chinese


def test_a_wrong_character_is_looked_for_in_a_few_groups_or_in_all(visit, secret):
    told = {"here": 0, "anywhere": 0}
    for place in range(4, 30):
        code = secret.code()
        if code[place] == "-":
            continue
        wrong = code[:place] + ("7" if code[place] != "7" else "W") + code[place + 1 :]
        text = visit({"code": wrong}, peer=f"192.0.2.{place}").text
        here = "it is here" in text
        told["here" if here else "anywhere"] += 1
        assert not here or f"Group {code[:place].count('-')} after HR1" in text
        assert here or "group by group" in text
    assert told["here"] > told["anywhere"]


def test_what_was_typed_is_kept_when_the_language_is_changed(visit, log, home, secret):
    for typed in ("HR1-half of a code", " <b>&amp; zoo", "\n\nzoo"):
        answer = visit({"step": "language", "code": typed}, lang="zh")
        assert answer.status_code == 200
        assert Typed(answer.text).text == typed
        assert 'role="alert"' not in answer.text
        assert "<b>" not in answer.text
    log.append(a_plan(noise_multiplier=2.0).signed(home.signing_key({})))
    for wish in ("leave", "replay"):
        assert f'value="{wish}" checked' in visit({"step": "preview", "code": secret.code(), "wish": wish}, lang="zh").text
    for _ in range(40):
        assert visit({"step": "language", "code": "HR1"}).status_code == 200, "looking is not counted"


def test_every_step_has_a_name_of_its_own(visit, secret):
    pages = [visit(), visit({"code": "x"}), visit({"code": secret.code()}), visit({"step": "confirm", "code": secret.code()})]
    names = [re.search("<title>(.*?)</title>", page.text).group(1) for page in pages]
    assert len(set(names)) == 4
    assert names[1].startswith("This code has a mistake")
    assert [re.search("Step (.) of 3", page.text).group(1) for page in pages] == ["1", "1", "2", "3"]


def test_attempts_are_those_of_joining(visit, secret):
    for _ in range(30):
        visit({"step": "preview", "code": "HR1-00000"})
    answer = visit({"step": "confirm", "code": secret.code()})
    assert answer.status_code == 429
    assert "try again" in answer.text
    assert visit().status_code == 200, "looking is not counted"
    assert visit({"step": "preview", "code": secret.code()}, peer="192.0.2.9").status_code == 200


def test_the_page_loads_nothing_and_runs_nothing(visit, secret):
    for answer in (visit(), visit({"step": "preview", "code": secret.code()}), visit({"step": "confirm", "code": secret.code()})):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        reader = Reader(answer.text)
        assert not {"script", "img", "link", "iframe", "object"} & set(reader.tags)
        assert not [name for name, _ in reader.attributes if name == "style" or name.startswith("on")]
        assert "http" not in answer.text.replace("http-equiv", "")
        assert secret.code() not in str(answer.url)
        assert 'name="viewport"' in answer.text


def test_the_style_sheet_is_the_one_that_is_allowed(visit):
    import base64
    import hashlib

    answer = visit()
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]


def test_languages(visit, secret):
    assert 'lang="zh-Hans"' in visit(accept="zh-CN,zh;q=0.9,en;q=0.8").text
    assert "恢复码" in visit(lang="zh").text
    assert "recovery code" in visit(lang="en", accept="zh").text
    assert "已撤回" in visit({"step": "confirm", "code": secret.code()}, lang="zh").text
    assert "有误" in visit({"code": "x"}, lang="zh").text


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "de,fr;q=0.5", "en"),
        ("", "zh-TW", "zh"),
        ("", "en;q=0.4, zh;q=0.6", "zh"),
        ("", "zh;q=0.4, en", "en"),
        ("", "zh, en", "zh"),
        ("", "de, en, zh", "en"),
        ("", "zh;q=0", "en"),
        ("", "zh;q=nonsense", "en"),
        ("en", "zh", "en"),
        ("zh", "en", "zh"),
        ("xx", "zh", "zh"),
        ("", "," * 5000, "en"),
    ],
)
def test_which_language_is_preferred(asked, accepted, language):
    assert preferred_language(asked, accepted) == language


def test_nothing_of_a_code_is_in_a_log(visit, secret, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    visit({"step": "preview", "code": secret.code()})
    monkeypatch.setattr(Withdrawals, "take", lambda _self, _envelope: (_ for _ in ()).throw(StorageError(secret.code())))
    answer = visit({"step": "confirm", "code": secret.code()})
    assert answer.status_code == 500
    assert "problem" in answer.text
    everything = " ".join(record.getMessage() + str(record.exc_info) for record in caplog.records)
    assert "a request failed: StorageError" in everything
    assert secret.code() not in everything
    assert secret.pseudonym not in everything


def test_a_tombstone_of_her_laptop_in_the_same_moment(visit, log, secret, monkeypatch):
    take, calls = Withdrawals.take, []

    def late(self, envelope):
        calls.append(envelope)
        if len(calls) < 3:
            raise FilingRefusedError("replayed", "a newer withdrawal has come before")
        return take(self, envelope)

    monkeypatch.setattr(Withdrawals, "take", late)
    assert "You have withdrawn" in visit({"step": "confirm", "code": secret.code()}).text


def test_who_has_said_it_too_often_is_told_so(visit, secret, monkeypatch):
    def refuse(_self, _envelope):
        raise FilingRefusedError("refused", "this person has withdrawn very often")

    monkeypatch.setattr(Withdrawals, "take", refuse)
    answer = visit({"step": "confirm", "code": secret.code()})
    assert answer.status_code == 403
    assert "very often" in answer.text
    monkeypatch.setattr(Withdrawals, "take", lambda _self, _envelope: None)
    assert visit({"step": "confirm", "code": secret.code()}).status_code == 500
