"""The watch over pages sees what it is there for: otherwise a green test would say nothing."""

from playwright.sync_api import Browser, Page
from tests.browser import chromium
from tests.browser.accessibility import accessibility_faults
from tests.browser.chromium import Watch
from tests.browser.page_weight import weighed

ORIGIN = "http://hometone.test"
STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'"
BEGIN = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Page</title>'
)
GOOD = (
    "<style>body{font-size:20px} button{font-size:20px;min-height:48px;min-width:48px}</style>"
    "</head><body><main><h1>Page</h1><button>Yes</button></main></body></html>"
)


def shown(browser: Browser, body: str, *, policy: str = "") -> tuple[Page, Watch]:
    """A page of exactly this; nothing leaves the machine, because every request is answered here."""
    context = chromium.new_context(browser, screen="phone")
    watch = Watch(ORIGIN).over(context)
    headers = {"Content-Security-Policy": policy} if policy else {}
    context.route(ORIGIN + "/page", lambda route: route.fulfill(body=body, content_type="text/html", headers=headers))
    context.route("http://elsewhere.test/**", lambda route: route.fulfill(body="", content_type="text/css"))
    context.route(ORIGIN + "/missing.js", lambda route: route.fulfill(status=404, body=""))
    context.route(ORIGIN + "/broken.js", lambda route: route.abort())
    page = context.new_page()
    page.goto(ORIGIN + "/page")
    return page, watch


def test_a_good_page_has_no_fault(browser: Browser) -> None:
    page, watch = shown(browser, BEGIN + GOOD)
    assert accessibility_faults(page) == []
    assert watch.faults == []
    page.context.close()


def test_what_the_policy_refuses_is_seen_and_axe_is_not_refused(browser: Browser) -> None:
    page, watch = shown(browser, BEGIN + "<script>window.ran = true</script></head><body><p>x</p></body></html>", policy=STRICT)
    assert [fault for fault in watch.faults if "Content Security Policy" in fault]
    before = len(watch.faults)
    assert any(fault.startswith("landmark-one-main") for fault in accessibility_faults(page)), "axe ran"
    assert page.evaluate("window.ran") is None, "the policy is in force"
    assert len(watch.faults) == before, "looking breaks nothing"
    page.context.close()


def test_faults_of_a_page_are_seen(browser: Browser) -> None:
    for part, told in (
        ('<link rel="stylesheet" href="http://elsewhere.test/a.css">', "another origin"),
        ('<script src="/missing.js"></script>', "answer 404"),
        ('<script src="/broken.js"></script>', "failed"),
        ("<script>throw new Error('oh')</script>", "script: "),
        ("<script>console.error('oh')</script>", "console: oh"),
    ):
        page, watch = shown(browser, BEGIN + part + GOOD)
        assert any(fault.startswith(told) for fault in watch.faults), (part, watch.faults)
        page.context.close()


def test_what_is_hard_to_use_is_seen(browser: Browser) -> None:
    for change, told in (
        (("<button>Yes</button>", "<button></button>"), "button-name"),
        (("<button>", '<button style="min-height:20px;height:20px;padding:0">'), "target of"),
        (("<h1>Page</h1>", "<p>Page</p>"), "page-has-heading-one"),
        (("<h1>Page</h1>", '<h1>Page</h1><p style="color:#6b6b6b">grey</p>'), "color-contrast-enhanced"),
        (("<h1>Page</h1>", '<h1>Page</h1><p style="font-size:14px">small</p>'), "text of 14 px"),
        (("<h1>Page</h1>", '<h1>Page</h1><p style="width:900px">wide</p>'), "the page is"),
        (("<h1>Page</h1>", "<h1>Page</h1><h4>deep</h4>"), "heading-order"),
    ):
        page, _ = shown(browser, BEGIN + GOOD.replace(*change))
        faults = accessibility_faults(page)
        assert any(fault.startswith(told) for fault in faults), (change, faults)
        page.context.close()


def test_a_heavy_page_is_weighed(browser: Browser) -> None:
    page, _ = shown(browser, BEGIN + GOOD)
    page.context.route(ORIGIN + "/heavy", lambda route: route.fulfill(body=BEGIN + GOOD + "x" * 300_000, content_type="text/html"))
    with weighed(page) as weight:
        page.goto(ORIGIN + "/heavy")
    assert weight.page_bytes > 200_000
    page.context.close()
