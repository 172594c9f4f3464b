"""Templates and assets."""

from pathlib import Path

import jinja2
import pytest

from hometone_shared.pages.rendering import SHARED, Assets, Templates
from hometone_shared.pages.words import TAGS, Words


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "more_pages"
    (folder / "templates").mkdir(parents=True)
    (folder / "static").mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "templates" / "name.html").write_text("<p>{{ name }}</p>{{ asset('own.css') }}")
    (folder / "static" / "own.css").write_text("p {}")
    (folder / "static" / "notes.txt").write_text("not for browsers")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "more_pages"


def test_values_are_escaped_and_lacking_ones_are_errors(package: str) -> None:
    templates = Templates(package, assets=Assets(SHARED, package))
    assert "&lt;script&gt;" in templates.render("name.html", name="<script>")
    with pytest.raises(jinja2.UndefinedError):
        templates.render("name.html")


def test_assets_are_found_by_the_address_that_pages_use(package: str) -> None:
    assets = Assets(SHARED, package)
    asset = assets.find(assets.address("own.css"))
    assert asset is not None
    assert (asset.content, asset.media_type) == (b"p {}", "text/css; charset=utf-8")
    assert assets.find("/static/0000000000000000/own.css") is None
    with pytest.raises(KeyError):
        assets.address("notes.txt")


def test_a_package_without_assets_is_no_mistake(package: str) -> None:
    assert Assets("hometone_shared", package).address("own.css")


def test_the_shared_base_makes_a_page(package: str) -> None:
    templates = Templates(package, assets=Assets(SHARED))
    words = Words({key: {"en": key, "zh": key} for key in ("brand", "skip", "nav", "other-language")}, "zh")
    page = templates.render(
        "base.html", words=words, tag=TAGS["zh"], other_tag="en", form_token="t", path="/", error=None, notice="", typed={}
    )
    assert '<html lang="zh-Hans">' in page
    assert " style=" not in page
    assert "<style" not in page
