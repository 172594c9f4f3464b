"""The looks of the page for people who withdraw: plain HTML without scripts, large, readable on a telephone and by a screen reader.

Words are in `data/withdraw.json`, English and Chinese. Everything that comes from outside is escaped; the one style sheet is inside the
page and named by its hash in the content security policy, which allows nothing else.

What it may see: what is shown. What it must never do: load anything from anywhere.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from starlette.responses import Response

from hometone_shared.command_line import Language
from hometone_shared.pages.words import TAGS, Words

_STYLE: Final = """
:root { color-scheme: light dark; font-size: 125%; }
body { font-family: system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; line-height: 1.6; margin: 0; }
header, main { max-width: 38rem; margin: 0 auto; padding: 0.5rem 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.25rem; }
li { margin: 0.5rem 0; }
label, legend { font-weight: 600; }
textarea, button, .button { font: inherit; box-sizing: border-box; width: 100%; padding: 0.7rem; border: 2px solid; border-radius: 0.5rem; }
textarea { min-height: 9rem; letter-spacing: 0.04em; }
[aria-invalid] { border-color: #b00020; }
.step { margin: 0; }
button, .button { display: block; min-height: 3.4rem; margin-top: 1rem; text-align: center; text-decoration: none; cursor: pointer; }
.strong { background: #8c1515; color: #fff; border-color: #8c1515; }
.plain { background: transparent; color: inherit; }
.language { display: block; width: auto; min-height: 2.8rem; margin: 0 0 0 auto; padding: 0.3rem 1rem; }
.alert { border: 3px solid #b00020; border-radius: 0.5rem; padding: 0.2rem 0.9rem; margin: 1rem 0; }
.alert strong { font-size: 1.1rem; }
.choice { display: block; padding: 0.7rem; margin: 0.5rem 0; border: 2px solid; border-radius: 0.5rem; font-weight: 400; }
.choice input { width: 1.5rem; height: 1.5rem; vertical-align: middle; }
fieldset { border: 0; padding: 0; margin: 1rem 0; }
p, li { overflow-wrap: anywhere; }
[hidden] { display: none; }
:focus-visible { outline: 4px solid #1a66ff; outline-offset: 2px; }
"""
_STYLE_SHA256: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_SHA256}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LONGEST_CODE: Final = 800
"""Characters that the field takes; twelve words have far fewer."""
_WORDS: Final = Words.load("hometone_server.gateway", "withdraw")


class Sheet:
    """One page in one language, written from top to bottom."""

    def __init__(self, language: Language, *, coordinator: str) -> None:
        """Begin.

        Args:
            language: Of the words.
            coordinator: Its name, shown at the top.
        """
        self.words = _WORDS.speaking(language)
        self._coordinator = coordinator
        self._parts: list[str] = []
        self._name = ""
        self._alert = ""
        self._switch = ""

    @property
    def language(self) -> Language:
        """Of the words."""
        return self.words.language

    @property
    def other(self) -> Language:
        """The other language."""
        return self.words.other

    def title(self, key: str, *, step: int) -> None:
        """The heading, and which of the three steps this is."""
        self._name = self.words(key)
        self._parts.append(f'<p class="step">{escape(self.words("step", number=step))}</p><h1>{escape(self._name)}</h1>')

    def heading(self, key: str) -> None:
        """A smaller heading."""
        self._parts.append(f"<h2>{escape(self.words(key))}</h2>")

    def paragraph(self, key: str, **values: object) -> None:
        """A paragraph."""
        self._parts.append(f"<p>{escape(self.words(key, **values))}</p>")

    def alert(self, key: str, *, more: Sequence[str] = (), bullets: Sequence[str] = ()) -> None:
        """Something that went wrong: it is said at once, has the focus, and is in the name of the page.

        Args:
            key: Of the sentence that comes first.
            more: Sentences, not escaped yet.
            bullets: A list after them, the same.
        """
        self._alert = self.words(key)
        self._parts.append(
            f'<div class="alert" id="alert" role="alert" tabindex="-1" autofocus><p><strong>{escape(self._alert)}</strong></p>'
            + "".join(f"<p>{escape(text)}</p>" for text in more)
            + (_list(bullets) if bullets else "")
            + "</div>"
        )

    def bullets(self, texts: Sequence[str]) -> None:
        """A list of texts, not escaped yet."""
        self._parts.append(_list(texts))

    def code_form(self, typed: str, *, is_flawed: bool) -> None:
        """Step 1: the code.

        Args:
            typed: What was typed before; it is kept.
            is_flawed: The alert is about it.
        """
        flawed = ' aria-invalid="true" aria-describedby="alert help"' if is_flawed else ' aria-describedby="help"'
        self._switch_within("language")
        self._parts.append(
            f'<form id="form" method="post" action="?lang={self.language}" autocomplete="off">'
            f'<p><label for="code">{escape(self.words("code-label"))}</label><br>'
            f'<textarea id="code" name="code" required maxlength="{LONGEST_CODE}" spellcheck="false" autocapitalize="characters"'
            f' autocorrect="off" autocomplete="off"{flawed}>\n{escape(typed[:LONGEST_CODE])}</textarea></p>'
            f'<p id="help">{escape(self.words("code-help"))}</p>'
            f'<button class="plain" name="step" value="preview">{escape(self.words("go-on"))}</button></form>'
        )

    def confirm_form(self, code: str, *, may_repeat: bool, wish: str) -> None:
        """Step 2: the choice, and the last word. Only the button withdraws: the return key within the choice does nothing."""
        choice = ""
        if may_repeat:
            options = "".join(
                f'<label class="choice"><input type="radio" name="wish" value="{option}"{" checked" if option == wish else ""}>'
                f" {escape(self.words(f'wish-{option}'))}</label>"
                for option in ("leave", "replay")
            )
            choice = f"<fieldset><legend>{escape(self.words('wish-legend'))}</legend>{options}</fieldset>"
        self._switch_within("preview")
        self._parts.append(
            f'<form id="form" method="post" action="?lang={self.language}" autocomplete="off">{_hidden({"code": code})}{choice}'
            f'<button class="strong" name="step" value="confirm">{escape(self.words("confirm"))}</button></form>'
            f'<p><a class="button plain" href="?lang={self.language}">{escape(self.words("back"))}</a></p>'
        )

    def keep(self, code: str) -> None:
        """Step 3: what goes along when somebody changes the language; it only looks."""
        self._switch = (
            f'<form method="post" action="?lang={self.other}">{_hidden({"code": code})}'
            f'<button class="plain language" name="step" value="preview" {self._switch_words()}</button></form>'
        )

    def _switch_within(self, step: str) -> None:
        """The switch sends the form of the page, so that nothing typed or chosen is lost.

        The return key within a field presses the first button of a form: that is one which shows the same page again.
        """
        self._switch = (
            f'<button form="form" name="step" value="{step}" hidden></button>'
            f'<button class="plain language" form="form" formaction="?lang={self.other}" formnovalidate name="step" value="{step}"'
            f" {self._switch_words()}</button>"
        )

    def _switch_words(self) -> str:
        return f'lang="{TAGS[self.other]}">{escape(self.words("other-language"))}'

    def download(self, address: str) -> None:
        """The receipt as a file."""
        self._parts.append(
            f'<p><a class="button plain" href="{escape(address)}" download="hometone-receipt.json">{escape(self.words("download"))}</a></p>'
        )

    def response(self, *, status: int = 200) -> Response:
        """The page."""
        name = " - ".join(dict.fromkeys(part for part in (self._alert, self._name, self.words("title")) if part))
        page = (
            f'<!DOCTYPE html>\n<html lang="{TAGS[self.language]}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
            f"<title>{escape(name)}</title><style>{_STYLE}</style></head>"
            f"<body><header>{self._switch}<p>{escape(self._coordinator)}</p></header><main>{''.join(self._parts)}</main></body></html>\n"
        )
        return Response(page.encode(), status_code=status, media_type="text/html; charset=utf-8", headers=HEADERS)


def _list(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def _hidden(fields: Mapping[str, str]) -> str:
    return "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items())
