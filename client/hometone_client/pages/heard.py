"""An owner's side of listening tests: making her sounds for a panel, and what listeners said about her voice.

Making takes a minute or more and goes on in the background while she is unlocked. What it may see: the person who is unlocked. What it must
never do: go on when she is locked, or show what a single listener answered.
"""

import logging
import threading
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hometone_client.listening.panels import PanelShelf
from hometone_client.listening.preparing import Prepared, Voices, prepare, texts_for
from hometone_client.listening.rendering import Renderer, measured_by
from hometone_client.listening.report import PanelReport, panel_report
from hometone_client.pages.house import House
from hometone_client.pages.listening import language_name
from hometone_client.pages.visit import Own, Posted, Visit
from hometone_client.speakers.consent import Purpose
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import ConsentError, HometoneError
from hometone_shared.records.panel import Panel

_LOG: Final = logging.getLogger(__name__)
router: Final = APIRouter()
PATH: Final = "/me/listening"


class _LockedError(Exception):
    pass


class Making:
    """Sounds that are being made for one person."""

    def __init__(self) -> None:
        """Nothing is being made."""
        self.fraction = 0.0
        self.error: HometoneError | None = None
        self.made: Prepared | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def goes_on(self) -> bool:
        """Whether it works now."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, room: SpeakerRoom, panel: Panel, *, house: House) -> None:
        """Make her sounds; once more while it goes on changes nothing."""
        if self.goes_on:
            return
        self.fraction, self.error, self.made = 0.0, None, None

        def progress(fraction: float) -> None:
            if self._stop.is_set():
                raise _LockedError
            self.fraction = fraction

        def work() -> None:
            try:
                renderer = Renderer(house.models, sessions=house.loaded)
                self.made = prepare(
                    room,
                    panel,
                    voices=Voices(own=renderer.voice, stock=renderer.stock),
                    measure=measured_by(house.models),
                    progress=progress,
                )
            except HometoneError as error:
                self.error = error
            except _LockedError:
                self.error = ConsentError("the work ended because you were locked", hint="unlock your voice and begin again")
            except Exception as error:
                _LOG.error("sounds for a listening test failed: %s", type(error).__name__)
                self.error = HometoneError("something went wrong that should not have", hint="nothing that was stored is lost; try again")

        self._thread = threading.Thread(target=work, name="listening-clips", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """She is locked: end at the next sound."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=60)


@router.get(PATH)
def overview(visit: Own) -> Response:
    """Panels, what her voice would say, and what listeners said."""
    room = visit.room
    making = visit.browser.kept(Making, Making)
    report: dict[str, Any] | None = None
    error: HometoneError | None = making.error
    agreed = _agreed(room, visit.house)
    try:
        report = _shown(visit, panel_report(room))
    except HometoneError:
        report = None
    panels = [_offered(visit, room, panel) for panel in PanelShelf(visit.house.home).panels()]
    making.error = None
    return visit.page(
        "listening/mine.html", panels=panels, agreed=agreed, making=making, report=report, has_voice=room.has_voice, error=error
    )


@router.get(f"{PATH}/progress")
def progress(visit: Own) -> Response:
    """How far the sounds are."""
    making = visit.browser.kept(Making, Making)
    return visit.part("listening/progress.html", reload=not making.goes_on, making=making)


@router.post(f"{PATH}/prepare")
def begin(visit: Own, form: Posted) -> Response:
    """Make her sounds for a panel."""
    room = visit.room
    try:
        panel = PanelShelf(visit.house.home).find(form.text("panel"))
        room.require(Purpose.LISTENING, now=visit.house.now())
        texts_for(room, panel)
    except HometoneError as error:
        return visit.again(PATH, error=error)
    visit.browser.kept(Making, Making).begin(room, panel, house=visit.house)
    return visit.go(PATH)


@router.post(f"{PATH}/fetch")
async def fetch(visit: Own, form: Posted) -> Response:
    """Ask the coordinator for its newest panel, or take one in from a file."""
    files = form.files("file")
    shelf = PanelShelf(visit.house.home)
    try:
        panel = await run_in_threadpool(lambda: shelf.add(files[0].content) if files else shelf.fetch())
    except HometoneError as error:
        return visit.again(PATH, error=error)
    return visit.go(PATH, notice="listening-taken-in", title=panel.title)


def _agreed(room: SpeakerRoom, house: House) -> bool:
    try:
        consent = room.consent(Purpose.LISTENING)
    except ConsentError:
        return False
    return consent is not None and consent.given <= house.now() < consent.expires


def _offered(visit: Visit, room: SpeakerRoom, panel: Panel) -> dict[str, Any]:
    try:
        texts = [(language_name(visit, language), sentences) for language, sentences in texts_for(room, panel).items()]
    except HometoneError as error:
        return {"number": panel.number, "title": panel.title, "texts": [], "why_not": visit.told(error)["message"]}
    return {"number": panel.number, "title": panel.title, "texts": texts, "why_not": ""}


def _shown(visit: Visit, report: PanelReport) -> dict[str, Any]:
    words = visit.words
    opinions = [
        {
            "what": words(f"listening-scale-{opinion.scale.value}"),
            "of": words(f"listening-role-{opinion.role.value}"),
            "language": language_name(visit, opinion.language),
            "listeners": opinion.listeners,
            "mean": f"{opinion.mean.value:.1f}",
            "interval": f"{opinion.mean.low:.1f} – {opinion.mean.high:.1f}",
        }
        for opinion in report.opinions
    ]
    measured = [
        {
            "what": words(f"listening-figure-{figure}"),
            "of": words(f"listening-role-{measurement.role.value}"),
            "language": language_name(visit, measurement.language),
            "value": f"{value:.0%}" if figure == "error_rate" else f"{value:.1f}",
        }
        for measurement in report.measurements
        for figure, value in measurement.figures.items()
    ]
    return {"listeners": report.listeners, "headphones": report.with_headphones, "opinions": opinions, "measured": measured}
