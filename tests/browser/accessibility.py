"""Whether people with poor sight, without a mouse, or with a screen reader can use a page: axe-core, and what docs/pages.md asks beyond it.

axe-core is evaluated through the browser's debugging interface, to which the page's content security policy does not apply: the policy
stays in force, and what it refuses is still seen.
"""

from functools import cache
from importlib import resources
from typing import Any, Final

from playwright.sync_api import Page

LEAST_TARGET_PX: Final = 44
LEAST_TEXT_PX: Final = 20
_TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_GRAVE: Final = {"serious", "critical"}
_MATTERS: Final = {
    "empty-heading",
    "heading-order",
    "landmark-no-duplicate-main",
    "landmark-one-main",
    "landmark-unique",
    "meta-viewport-large",
    "page-has-heading-one",
    "region",
    "tabindex",
}
"""Best practice that axe calls moderate or minor, and that our readers need."""
_RUN: Final = """async tags => {
    const found = await axe.run(document, {
        preload: false,
        resultTypes: ["violations"],
        runOnly: {type: "tag", values: tags},
        rules: {"color-contrast-enhanced": {enabled: true}, "target-size": {enabled: true}},
    });
    return found.violations.map(rule => ({
        id: rule.id, impact: rule.impact, help: rule.help,
        where: rule.nodes.map(node => node.target.join(" ") + ": " + node.failureSummary.replaceAll("\\n", " ")),
    }));
}"""
_MEASURE: Final = """([leastTarget, leastText]) => {
    const shown = element => element.checkVisibility({checkVisibilityCSS: true, checkOpacity: true});
    const faults = [];
    const named = element => element.tagName.toLowerCase() + (element.id ? "#" + element.id : "") + " " + element.innerText?.slice(0, 40);
    for (const element of document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=button], [tabindex='0']")) {
        if (!shown(element) || element.type === "hidden") continue;
        if (element.tagName === "A" && getComputedStyle(element).display === "inline") continue;  // within a sentence
        const label = element.labels?.[0];
        const size = [element, label].filter(Boolean).map(each => each.getBoundingClientRect());
        if (!size.some(box => box.width >= leastTarget - 0.5 && box.height >= leastTarget - 0.5))
            faults.push(`target of ${size.map(box => `${box.width} x ${box.height}`)}: ${named(element)}`);
    }
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !shown(element) || element.closest("script, style, noscript, svg")) continue;
        const size = parseFloat(getComputedStyle(element).fontSize);
        if (size < leastText - 0.5) faults.push(`text of ${size} px: ${named(element)}`);
    }
    const wide = document.scrollingElement.scrollWidth - document.documentElement.clientWidth;
    if (wide > 0) faults.push(`the page is ${wide} px wider than the screen`);
    return faults;
}"""


@cache
def _axe() -> str:
    return resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def accessibility_faults(page: Page) -> list[str]:
    """What is wrong with a page as it is now, a line each."""
    page.evaluate(_axe() + "; undefined")
    found: list[dict[str, Any]] = page.evaluate(_RUN, list(_TAGS))
    grave = [rule for rule in found if rule["impact"] in _GRAVE or rule["id"] in _MATTERS]
    lines = [f"{rule['id']} ({rule['impact']}): {rule['help']}: {where}" for rule in grave for where in rule["where"]]
    return lines + page.evaluate(_MEASURE, [LEAST_TARGET_PX, LEAST_TEXT_PX])


def assert_accessible(page: Page) -> None:
    """Fail with every fault of the page."""
    faults = accessibility_faults(page)
    assert faults == [], f"{page.url}:\n" + "\n".join(faults)
