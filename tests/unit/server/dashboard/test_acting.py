"""Ordering, stopping, going on, going back, inviting, revoking, repeating: in two steps where it cannot be undone, and once."""

import datetime as dt
import re

import pytest

from hometone_server.records.devices import Devices
from hometone_server.records.invitations import Invitations
from hometone_server.rounds.campaign import only_campaign
from hometone_server.rounds.journal import CampaignState, Journal
from hometone_shared.records.plan import RoundPurpose


@pytest.fixture
def inside(populated, make_office, make_browser):
    office = make_office(populated.village.home)
    browser = make_browser(office)
    browser.enter(office)
    return browser


def campaigns(home):
    journal = Journal(home.rounds_db)
    try:
        return journal.campaigns()
    finally:
        journal.close()


def test_an_order_is_looked_at_first_and_placed_once(browser, flower, home):
    page = browser.act("/rounds/order", purpose="model", speakers="127", rounds="10", epsilon="4")
    assert "Nothing has begun yet" in page
    assert "is right at most 98 of 100 times" in page
    assert flower.runs == []
    go = re.search(r'action="(/rounds/order/[0-9a-f]+)"', page)[1]
    first, second = browser.post(go), browser.post(go)
    assert first.headers["location"] == second.headers["location"]
    (campaign,) = campaigns(home)
    assert flower.runs == [campaign.run]
    assert (campaign.order.rounds, campaign.order.epsilon, campaign.order.purpose) == (10, 4.0, RoundPurpose.MODEL)
    assert "It is ordered" in browser.look(first.headers["location"])


@pytest.mark.parametrize("purpose", [purpose.value for purpose in RoundPurpose])
def test_every_purpose_can_be_ordered_in_both_languages(browser, flower, purpose):
    for language in ("en", "zh"):
        browser.act("/language", to=language, back="/")
        page = browser.act("/rounds/order", purpose=purpose, speakers="20", epsilon="2", minimum="2", weights="no")
        browser.post(re.search(r'action="(/rounds/order/[0-9a-f]+)"', page)[1])
    assert len(flower.runs) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"speakers": "many"},
        {"speakers": "-3"},
        {"speakers": "٣"},
        {"speakers": "1" * 30},
        {"epsilon": "nan"},
        {"epsilon": "inf"},
        {"epsilon": "0"},
        {"epsilon": "1e400"},
        {"rounds": "0"},
        {"rounds": "100000"},
        {"minimum": "1"},
        {"minimum": "99999999"},
        {"dimension": "99999999999"},
        {"purpose": "people"},
        {"step": "nan"},
        {"gather_minutes": "nan"},
        {"prepare_minutes": "-1"},
        {"prepare_minutes": "1e300"},
        {"attempts": "0"},
        {"colluders": "19"},
        {"replays": "999999"},
        {"weights": "yes"},
        {"speakers": "0", "purpose": "balance"},
    ],
)
def test_wishes_that_cannot_be_met_are_told_and_what_was_typed_stays(browser, flower, home, fields):
    page = browser.act("/rounds/order", **{"speakers": "33", "rounds": "1", "epsilon": "2", **fields})
    assert 'role="alert"' in page
    assert f'value="{fields.get("speakers", "33")}' in page
    assert flower.runs == []
    assert campaigns(home) == ()


def test_ordering_while_the_coordinator_does_not_run_says_so_and_orders_nothing(browser, flower, home, office):
    flower.is_running = False
    office._nodes = None
    page = browser.act("/rounds/order", speakers="20", epsilon="2")
    assert "hometone-coordinator serve" in page
    go = re.search(r'action="(/rounds/order/[0-9a-f]+)"', page)[1]
    assert "nothing was begun" in browser.act(go)
    assert campaigns(home) == ()
    flower.is_running = True
    office._nodes = None
    browser.act(go)
    assert len(flower.runs) == 1


def test_while_a_campaign_is_at_work_no_other_begins(browser, flower, home):
    page = browser.act("/rounds/order", speakers="20", epsilon="2")
    go = re.search(r'action="(/rounds/order/[0-9a-f]+)"', page)[1]
    with only_campaign(home):
        assert "another campaign is running" in browser.act(go)
    assert flower.runs == []


def test_a_draft_of_another_session_is_nobodys(browser, office, make_browser, flower):
    page = browser.act("/rounds/order", speakers="20", epsilon="2")
    go = re.search(r'action="(/rounds/order/[0-9a-f]+)"', page)[1]
    other = make_browser(office)
    other.enter(office)
    assert other.post(go).status_code == 303
    assert flower.runs == []


def test_a_campaign_is_stopped_and_taken_up_again(browser, flower, home, make_order):
    journal = Journal(home.rounds_db)
    journal.add_campaign("d" * 16, make_order())
    for _ in range(2):
        assert "stops after the attempt" in browser.act(f"/rounds/{'d' * 16}/stop")
    assert journal.campaign("d" * 16).state is CampaignState.STOPPED
    assert "It goes on" in browser.act(f"/rounds/{'d' * 16}/resume")
    assert journal.campaign("d" * 16).state is CampaignState.ORDERED
    assert flower.runs == ["d" * 16]
    with only_campaign(home):
        browser.act(f"/rounds/{'d' * 16}/resume")
    assert flower.runs == ["d" * 16]
    journal.set_state("d" * 16, CampaignState.FINISHED)
    assert "cannot be taken up" in browser.act(f"/rounds/{'d' * 16}/resume")
    assert browser.post(f"/rounds/{'e' * 16}/stop").status_code == 303
    journal.close()


def test_a_campaign_on_which_nothing_works_is_pointed_out(home, make_office, make_browser, make_order):
    journal = Journal(home.rounds_db)
    journal.add_campaign("d" * 16, make_order())
    journal.close()
    import time

    office = make_office(home, wall=lambda: time.time() + 3600)
    browser = make_browser(office)
    browser.enter(office)
    assert "nothing works on it" in browser.look("/")
    with only_campaign(home):
        assert "nothing works on it" not in browser.look("/")


def test_certificates_that_end_are_pointed_out(home, make_office, make_browser):
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=390)
    office = make_office(home, wall=ends.timestamp)
    browser = make_browser(office)
    browser.enter(office)
    assert "The certificate that laptops see ends" in browser.look("/")
    assert "authority of this coordinator ends" not in browser.look("/")


def test_going_back_to_a_release_happens_once(inside, populated):
    page = inside.look("/rounds/releases/1")
    newest = re.search(r'name="newest" value="(\d+)"', page)[1]
    assert "no such" not in page
    assert "is newer" not in inside.act("/rounds/releases/1", newest=newest)
    count = len(populated.releases.chain().releases)
    inside.act("/rounds/releases/1", newest=newest)
    assert len(populated.releases.chain().releases) == count
    assert populated.releases.newest().restores == 1
    assert "newer release than the one that you saw" in inside.act("/rounds/releases/0", newest=newest)


def test_invitations_are_shown_once_and_made_once(browser, home, office):
    page = browser.look("/laptops")
    once = re.search(r'name="once" value="([^"]+)"', page)[1]
    first = browser.post("/laptops/invite", once=once, count="3", days="5")
    second = browser.post("/laptops/invite", once=once, count="3", days="5")
    assert first.headers["location"] == second.headers["location"]
    page = browser.look(first.headers["location"])
    codes = re.findall(r'class="code">(HT1[^<]+)<', page)
    assert len(set(codes)) == 3
    assert page.count("data:image/svg+xml") == 3
    again = browser.ask("GET", first.headers["location"])
    assert again.status_code == 404
    assert "HT1" not in again.text
    waiting = Invitations(office.log).waiting()
    assert len(waiting) == 3
    assert not any(code in browser.look("/laptops") for code in codes)
    for _ in range(2):
        assert "taken back" in browser.act("/laptops/take-back", name=waiting[0].name)
    assert len(Invitations(office.log).waiting()) == 2


@pytest.mark.parametrize("fields", [{"count": "0"}, {"count": "51"}, {"days": "91"}, {"days": "0"}, {"count": "x"}])
def test_invitations_out_of_bounds_are_refused(browser, office, fields):
    once = re.search(r'name="once" value="([^"]+)"', browser.look("/laptops"))[1]
    assert 'role="alert"' in browser.act("/laptops/invite", once=once, **{"count": "1", "days": "7", **fields})
    assert Invitations(office.log).waiting() == ()


def test_a_laptop_is_taken_off_in_two_steps_and_it_may_be_repeated(inside, populated, flower):
    device = next(iter(Devices(populated.village.log).directory().active))
    page = inside.look(f"/laptops/{device}/revoke")
    assert "for ever" in page
    assert device in Devices(populated.village.log).directory().active
    flower.is_running = False
    assert "could not be told to disconnect" in inside.act(f"/laptops/{device}/revoke")
    flower.is_running = True
    for _ in range(2):
        assert "is off the list" in inside.act(f"/laptops/{device}/revoke")
    assert device not in Devices(populated.village.log).directory().active
    assert flower.forgotten


def test_rounds_are_repeated_as_the_command_does_and_once(inside, populated, flower):
    page = inside.look("/withdrawals/replay")
    assert "Nothing has begun yet" in page
    draft = re.search(r'name="draft" value="([^"]+)"', page)[1]
    first = inside.post("/withdrawals/replay", draft=draft)
    second = inside.post("/withdrawals/replay", draft=draft)
    assert first.headers["location"] == second.headers["location"]
    (run,) = flower.runs
    campaign = populated.village.journal.campaign(run)
    assert campaign.order.replay.rounds[0].release == 1
    populated.village.runner.run(run, populated.exchange())
    assert populated.village.journal.campaign(run).state is CampaignState.FINISHED
    assert "wait for rounds" not in inside.look("/withdrawals")
    assert inside.ask("GET", "/withdrawals/replay").headers["location"] == "/withdrawals"


def test_a_repetition_that_failed_goes_on_with_fewer_laptops(inside, populated, flower):
    draft = re.search(r'name="draft" value="([^"]+)"', inside.look("/withdrawals/replay"))[1]
    inside.post("/withdrawals/replay", draft=draft)
    (run,) = flower.runs
    populated.village.journal.set_state(run, CampaignState.FAILED, told="too few")
    assert run[:8] in inside.look("/withdrawals/replay")
    inside.act("/withdrawals/replay", again="yes", minimum="2")
    assert flower.runs == [run, run]
    assert populated.village.journal.campaign(run).order.minimum_cohort == 2


def test_a_replay_whose_scope_has_changed_is_looked_at_again(inside, populated, flower):
    draft = re.search(r'name="draft" value="([^"]+)"', inside.look("/withdrawals/replay"))[1]
    populated.withdraw(4)
    assert "something has changed since you looked" in inside.act("/withdrawals/replay", draft=draft)
    assert flower.runs == []


def test_without_anybody_who_waits_there_is_nothing_to_repeat(browser):
    assert browser.ask("GET", "/withdrawals/replay").headers["location"] == "/withdrawals"
    assert "nobody waits for a replay" in browser.look("/withdrawals")
