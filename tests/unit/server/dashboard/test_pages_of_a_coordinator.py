"""What the pages say of a coordinator with a history, and what they never say."""

import re

import pytest

from hometone_shared.records.device import DeviceEntry

PATHS = ("/", "/rounds", "/rounds/order", "/laptops", "/balance", "/quality", "/listening", "/withdrawals", "/withdrawals/replay", "/log")


@pytest.fixture
def inside(populated, make_office, make_browser):
    office = make_office(populated.village.home)
    browser = make_browser(office)
    browser.enter(office)
    return browser


def every_page(browser) -> dict[str, str]:
    """All pages that links of pages lead to."""
    waiting, seen = list(PATHS), {}
    while waiting:
        path = waiting.pop()
        if path not in seen:
            answer = browser.ask("GET", path)
            assert answer.status_code in (200, 303), (path, answer.status_code, answer.text[:300])
            seen[path] = answer.text
            waiting += [link for link in re.findall(r'href="(/[^"#]*)', answer.text) if not link.startswith("/static/")]
    return seen


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_about_a_person_is_on_any_page(inside, populated, language):
    inside.act("/language", to=language, back="/")
    pages = every_page(inside)
    assert len(pages) > 20
    secret = [each.pseudonym for each in populated.secrets.values()]
    address = populated.village.home.address
    for path, text in pages.items():
        assert not [name for name in secret if name in text or name in path], path
        assert address not in text, path
        assert "192.168" not in text, path
        assert str(populated.village.home.root) not in text, path


def test_no_page_is_heavier_than_it_may_be(inside):
    assert max(len(text.encode()) for text in every_page(inside).values()) < 150_000


def test_now_says_what_is_there_and_what_waits(inside, flower):
    page = inside.look("/")
    assert "Withdrawals that wait for rounds to be repeated: 1" in page
    assert re.search(r"connected now</dt><dd><strong>7</strong>", page)
    flower.is_running = False


def test_a_coordinator_that_does_not_run_is_said_first(populated, make_office, make_browser, flower):
    flower.is_running = False
    office = make_office(populated.village.home)
    browser = make_browser(office)
    browser.enter(office)
    page = browser.look("/")
    assert page.index("hometone-coordinator serve") < page.index("Withdrawals that wait")
    assert "not known" in page


def test_the_timeline_says_who_joined_and_left_and_why(populated, make_office, make_browser, make_order):
    village = populated.village
    village.laptops[0].leaves_at = "mask"
    village.journal.add_campaign("b" * 16, make_order(rounds=1))
    village.runner.run("b" * 16, village.exchange(populated.update))
    attempt = village.journal.attempts("b" * 16)[0]
    figures = {**attempt.figures, "refusals": {"budget": 2, "<script>": 1}, "reason": "another campaign is running"}
    village.journal.end_attempt(("b" * 16, 1, 1), finished=False, figures=figures)
    office = make_office(village.home)
    browser = make_browser(office)
    browser.enter(office)
    for page in (browser.look("/rounds"), browser.look(f"/rounds/{'b' * 16}")):
        assert "their privacy budget is used up" in page
        assert "for a reason of its own" in page
        assert "<script>" not in page
        assert "another campaign is running" in page
    page = browser.look(f"/rounds/{'b' * 16}")
    assert re.search(r"send what they have, hidden</th><td class=\"number\">6</td><td class=\"number\">1</td>", page)
    assert "KiB for each laptop" in page
    assert "<svg" in page


def test_groups_that_are_too_small_are_only_named(inside):
    page = inside.look("/balance")
    assert re.search(r"70-79</th><td class=\"number\">6</td>", page)
    assert "18-29</th>" not in page
    assert "18-29" in page
    page = inside.look("/quality")
    assert "70-79</th>" in page
    assert "18-29</th>" not in page
    assert "The newest release is better" in page
    page = inside.look("/listening")
    assert "Village voices" in page
    assert "70-79</th>" in page
    assert "18-29</th>" not in page


def test_before_anything_was_measured_pages_say_so(browser):
    assert "not counted yet" in browser.look("/balance")
    assert "not measured yet" in browser.look("/quality")
    assert "No test was made yet" in browser.look("/listening")
    assert "No round was ordered yet" in browser.look("/rounds")
    assert "No laptop has joined yet" in browser.look("/laptops")
    assert "Nobody has withdrawn" in browser.look("/withdrawals")
    assert "Nothing needs your attention" in browser.look("/")


def test_the_log_is_shown_by_kind_and_checked(inside, populated):
    page = inside.look("/log?kind=round-plan")
    assert page.count("plan of a round</td>") == len(populated.village.log.of_kind("hometone/round-plan/v1"))
    assert populated.village.log.checkpoint().root.hex() in page
    assert "add up to the signed head" in inside.act("/log/check")
    for asked in ("?kind=nonsense", "?before=-1", "?before=" + "9" * 40, "?kind=release&before=3"):
        inside.look("/log" + asked)


def test_a_log_that_was_changed_is_told_so(inside, populated):
    with populated.village.log.writing() as change:
        change.execute("UPDATE entries SET envelope = CAST(replace(CAST(envelope AS TEXT), 'a', 'b') AS BLOB) WHERE position = 1")
    assert 'role="alert"' in inside.act("/log/check")


def test_a_withdrawal_is_found_by_its_place_in_the_log(inside):
    page = inside.look("/withdrawals")
    link = re.search(r'href="(/withdrawals/\d+)"', page)[1]
    assert "Asked for rounds to be repeated" in inside.look(link)
    assert inside.ask("GET", "/withdrawals/999999").status_code == 404
    assert inside.ask("GET", "/withdrawals/" + "a" * 32).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/rounds/" + "0" * 15 + "z",
        "/rounds/releases/99",
        "/rounds/releases/x",
        "/laptops/abc/revoke",
        "/rounds/order/none",
        "/laptops/invitations/none",
    ],
)
def test_what_is_not_there_is_told_in_words(inside, path):
    answer = inside.ask("GET", path)
    assert answer.status_code == 404
    assert 'role="alert"' in answer.text


def test_live_parts_ask_for_the_whole_page_when_something_begins_or_ends(populated, make_office, make_browser, make_order):
    village = populated.village
    village.journal.add_campaign("c" * 16, make_order(rounds=1))
    office = make_office(village.home)
    browser = make_browser(office)
    browser.enter(office)
    part = browser.ask("GET", "/now?mark=")
    assert part.headers["x-reload"] == "1"
    assert "x-reload" not in browser.ask("GET", f"/now?mark={'c' * 16}").headers
    assert "<html" not in part.text
    assert "x-reload" not in browser.ask("GET", f"/rounds/{'c' * 16}/now?mark=ordered").headers
    village.journal.stop("c" * 16)
    assert browser.ask("GET", f"/rounds/{'c' * 16}/now?mark=ordered").headers["x-reload"] == "1"


def test_laptops_are_shown_by_short_numbers(inside, populated):
    page = inside.look("/laptops")
    devices = [
        DeviceEntry.from_envelope(each, key=populated.village.log.key).device
        for each in populated.village.log.of_kind("hometone/device/v1")
    ]
    visible = re.sub(r"<[^>]+>", "", page)
    for device in devices:
        assert device[:8] in visible
        assert device not in visible
