"""Two pages to be printed: the recovery sheet and the receipt. One file each, without script, and nothing in it comes from elsewhere.

What it may see: a recovery secret while its sheet is made; verified receipts. What it must never do: write a sheet anywhere by itself.
"""

import datetime as dt
import functools
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Final

import segno

from hometone_shared.command_line import Language
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import PendingItem, Removed, Role, SharedModelTreatment
from hometone_shared.withdrawal.recovery import RecoverySecret
from hometone_shared.withdrawal.verified_receipt import VerifiedReceipt

_STYLE: Final = """body{font:1.15rem/1.6 "Noto Sans","Noto Sans SC",sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem;color:#111}
h1{font-size:1.8rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2rem}.code{font:600 1.5rem/1.7 monospace;overflow-wrap:anywhere}
ol{columns:2;font-size:1.3rem}.zh ol{columns:3}
td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}svg{width:12rem;height:12rem}
.command{font:1rem/1.5 monospace;overflow-wrap:anywhere}
.small{font-size:.9rem;color:#444;overflow-wrap:anywhere}@media print{body{margin:0}}"""

_COMMA: Final[Mapping[Language, str]] = {"en": ", ", "zh": "，"}


@functools.cache
def _words() -> Mapping[str, Mapping[str, Mapping[Language, str]]]:
    """Part of a page -> key -> language -> words."""
    text = resources.files("hometone_client.withdrawal").joinpath("data/pages.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, dict[Language, str]]] = json.loads(text)
    return table


def _part(part: str, language: Language) -> dict[str, str]:
    return {key: words[language] for key, words in _words()[part].items()}


def recovery_sheet(secret: RecoverySecret, *, name: str, coordinator: tuple[str, str] | None, language: Language) -> str:
    """The sheet with a person's recovery code: HTML.

    Args:
        secret: Hers.
        name: What people call her voice.
        coordinator: Its address and fingerprint, or None if none was joined.
        language: Of the sheet; the words are in both.
    """
    words = _part("sheet", language)
    code = secret.code()
    picture = segno.make(code, error="m").svg_inline(scale=4, border=4)
    body = (
        f"<h1>{_text(words['title'])}</h1><p>{_text(words['what'].format(name=name))}</p>"
        f'<h2>{_text(words["code"])}</h2><p class="code">{_text(code)}</p>{picture}<p>{_text(words["any"])}</p>'
        f"<h2>{_text(words['words'])}</h2>{_numbered(secret.words('en'))}"
        f'<h2>{_text(words["words-zh"])}</h2><div class="zh">{_numbered(secret.words("zh"))}</div>'
        f"<h2>{_text(words['how'])}</h2>{_ways(words, coordinator, code=code)}"
        f'<p class="small">{_text(words["number"])} {_text(secret.pseudonym)}</p>'
    )
    return _page(words["title"], body, language)


def receipt_page(found: VerifiedReceipt, *, language: Language) -> str:
    """A verified receipt in plain words: HTML."""
    words = _part("receipt", language)
    rows = [(words["made"], day(found.tombstone.made))]
    rows.append((words["received"], day(found.received)) if found.received is not None else ("", words["not-received"]))
    rows += [(words["scope"], purposes_words(found.tombstone.scope, language)), (words["pseudonym"], found.pseudonym)]
    rows += [("", words["witnessed"].format(name=name, date=day(at))) for name, at in found.witnessed.items()]
    body = f"<h1>{_text(words['title'])}</h1><p><b>{_text(words['complete' if found.is_complete else 'open'])}</b></p>{_table(rows)}"
    body += f"<h2>{_text(words['who'])}</h2>" + "".join(_answers(found, language))
    return _page(words["title"], body, language)


def day(seconds: int) -> str:
    """A day, as receipts show it (UTC); the number itself where no calendar has it."""
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def pending_words(item: PendingItem, language: Language) -> str:
    """What waits, and until when."""
    words = _part("receipt", language)
    until = words["unknown-until"] if item.until is None else words["until"].format(date=day(item.until))
    return f"{_words()['pending'][item.what][language]} ({until})"


def purposes_words(purposes: Iterable[Purpose], language: Language) -> str:
    """What ends; her own voice alone, if it does, because everything ends with it."""
    ending = set(purposes)
    named = [Purpose.OWN_VOICE] if Purpose.OWN_VOICE in ending else sorted(ending)
    return _COMMA[language].join(_words()["purpose"][purpose][language] for purpose in named)


def removed_words(removed: Mapping[Removed, int], language: Language) -> str:
    """What was removed, and how much of it; a dash for nothing."""
    return _COMMA[language].join(f"{_words()['removed'][kind][language]} {count}" for kind, count in removed.items()) or "-"


def role_words(role: Role, language: Language) -> str:
    """What a holder was to her."""
    return _words()["role"][role][language]


def model_words(treatment: SharedModelTreatment, language: Language) -> str:
    """What becomes of the shared model."""
    return _words()["model"][treatment.treatment][language].format(
        rounds=treatment.rounds, epsilon=treatment.epsilon, delta=treatment.delta, replaced_by=treatment.replaced_by
    )


def _answers(found: VerifiedReceipt, language: Language) -> Iterator[str]:
    words = _part("receipt", language)
    waiting = found.pending
    for answer in found.newest:
        head = f"{role_words(answer.role, language)}, {day(answer.at)}, {words['filed' if answer.filed else 'not-filed']}"
        rows = [(_words()["removed"][kind][language], str(count)) for kind, count in answer.removed.items()]
        rows += [(words["waits"], pending_words(item, language)) for holder, item in waiting if holder == answer]
        if answer.receipt.key_destroyed:
            rows.append(("", words["key"]))
        if answer.treatment is not None:
            rows.append((words["model"], model_words(answer.treatment, language)))
        yield f'<h3>{_text(head)}</h3>{_table(rows)}<p class="small">{_text(answer.device)}</p>'


def _ways(words: Mapping[str, str], coordinator: tuple[str, str] | None, *, code: str) -> str:
    """Where the code is typed: the coordinator's page, if there is one, and the command."""
    command = f"hometone withdraw --code {code}"
    if coordinator is None:
        return f'<p>{_text(words["alone"])}</p><p class="command">{_text(command)}</p>'
    address, fingerprint = coordinator
    return (
        f'<p>{_text(words["joined"])}</p><p class="code">https://{_text(address)}/hometone/withdraw</p><p>{_text(words["warning"])}</p>'
        f'<p>{_text(words["command"])}</p><p class="command">{_text(f"{command} --at {address} --fingerprint {fingerprint}")}</p>'
    )


def _numbered(words: str) -> str:
    return "<ol>" + "".join(f"<li>{_text(word)}</li>" for word in words.split()) + "</ol>"


def _table(rows: list[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows) + "</table>"


def _text(value: str) -> str:
    return html.escape(value)


def _page(title: str, body: str, language: Language) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{_text(title)}</title><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )
