"""Templates and assets: everything that a page is made of lies in packages, nothing comes from elsewhere.

Jinja2 with autoescape; a name that a template uses and nobody gave is an error, not an empty place. Assets are known by the hash of their
content, which stands in their address, so that a browser may keep them for good and never has an old one.

What it may see: what is shown. What it must never do: let a value into a page unescaped.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import jinja2

from hometone_shared.pages.access import PAGE_HEADERS

SHARED: Final = "hometone_shared.pages"
_MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
    "png": "image/png",
}
ASSET_HEADERS: Final[Mapping[str, str]] = {**PAGE_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load.

    Attributes:
        content: Its bytes.
        media_type: What it is.
        address: Where it is served, with its hash.
    """

    content: bytes
    media_type: str
    address: str


class Assets:
    """Everything in the folders `static` of some packages."""

    def __init__(self, *packages: str) -> None:
        """Read them all; of two with one name the later package's counts."""
        self._by_name: dict[str, Asset] = {}
        for package in packages:
            folder = resources.files(package).joinpath("static")
            if not folder.is_dir():
                continue
            for entry in sorted(folder.iterdir(), key=lambda each: each.name):
                media_type = _MEDIA_TYPES.get(entry.name.rpartition(".")[2])
                if media_type is not None:
                    content = entry.read_bytes()
                    digest = hashlib.sha256(content).hexdigest()[:16]
                    self._by_name[entry.name] = Asset(content, media_type, f"/static/{digest}/{entry.name}")
        self._by_address = {asset.address: asset for asset in self._by_name.values()}

    def address(self, name: str) -> str:
        """Where a file is served; for templates.

        Raises:
            KeyError: There is none.
        """
        return self._by_name[name].address

    def find(self, address: str) -> Asset | None:
        """The file at an address."""
        return self._by_address.get(address)


class Templates:
    """The templates of some packages (`templates/` in each), and the base that they share."""

    def __init__(self, *packages: str, assets: Assets) -> None:
        """Look into packages, the first one first.

        Args:
            packages: Where templates lie; the shared ones are always there.
            assets: What `asset("name")` in a template points to.
        """
        loaders: Sequence[jinja2.BaseLoader] = [jinja2.PackageLoader(package, "templates") for package in (*packages, SHARED)]
        self._environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader(loaders),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = assets.address

    def render(self, template: str, **values: Any) -> str:
        """A page, or a part of one."""
        return self._environment.get_template(template).render(**values)
