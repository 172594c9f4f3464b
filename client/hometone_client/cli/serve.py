"""`hometone serve`: the local API, for programs on this computer."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer

from hometone_client.cli.session import Session, read_pin_file
from hometone_client.cli.sweep import upkeep
from hometone_client.models import model_folder
from hometone_client.voices import Voice, VoiceRegistry

EPILOG = """\b
Examples:
  hometone serve                                   stock voices only
  hometone serve --unlock mei=pin.txt --token-file token.txt
  hometone serve --unlock mei=pin.txt --assistant-port 10200    also for Home Assistant on this computer (docs/assistant.md)
  curl -H "Authorization: Bearer $(cat token.txt)" -H "Content-Type: application/json" \\
       -d '{"input": "Hello", "voice": "mei", "response_format": "wav"}' \\
       http://127.0.0.1:8573/v1/audio/speech -o hello.wav

Only programs on this computer can reach it, and each request must show the token. Voices are locked again when it ends (Ctrl+C); one that
is revoked while it runs is gone at once."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="serve", epilog=EPILOG)
    def serve(
        context: typer.Context,
        port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 picks a free one.", min=0, max=65_535)] = 8573,
        unlock: Annotated[
            list[str] | None, typer.Option(metavar="NAME[=PINFILE]", help="Let programs use this speaker's or lent voice; repeatable.")
        ] = None,
        token_file: Annotated[
            Path | None, typer.Option(help="Write the token there, readable by you only; otherwise it is printed.")
        ] = None,
        assistant_port: Annotated[
            int | None, typer.Option(help="Also speak for voice assistants (Wyoming) on this port; 0 picks a free one.", min=0, max=65_535)
        ] = None,
        assistant_label: Annotated[bool, typer.Option(help="Say before each answer of an assistant that the voice is synthetic.")] = True,
    ) -> None:
        """Let programs on this computer speak: POST /v1/audio/speech (OpenAI's shape), GET /v1/voices."""
        from hometone_client.assistant import Assistant, AssistantState
        from hometone_client.federation.newest_release import renew_voice
        from hometone_client.lending.guests import lent_voice
        from hometone_client.lending.known_log import watched_log
        from hometone_client.speakers.choosing import UnlockedVoices, own_voice
        from hometone_client.speakers.room import SpeakerRoom
        from hometone_client.speakers.uses import Way
        from hometone_client.speaking import Sessions, Synthesizer
        from hometone_client.web import ApiState, create_app, new_token, write_token
        from hometone_client.web import serve as run_server
        from hometone_client.withdrawal.delivery import contact_if_joined

        session: Session = context.obj
        terminal = session.terminal
        sessions = Sessions(model_folder())
        with ExitStack() as stack:
            rooms: list[SpeakerRoom] = []
            lent: set[str] = set()
            if unlock:
                vault = stack.enter_context(session.vault())
                contact_if_joined(session.home, vault)  # whoever has withdrawn while this machine was off is gone before the first answer
                for item in unlock:
                    name, _, file = item.partition("=")
                    entry = vault.find(name)
                    if entry.is_guest:
                        unlocked = vault.unlock_for_work(entry.speaker_id)
                        lent.add(entry.speaker_id)
                    else:
                        unlocked = vault.unlock(entry.speaker_id, read_pin_file(Path(file)) if file else session.pin(None))
                    rooms.append(stack.enter_context(SpeakerRoom(unlocked)))
                    renew_voice(rooms[-1], session.home)
            log = watched_log(session.home)

            def unlocked_for(way: Way) -> UnlockedVoices:
                def voice_of(room: SpeakerRoom) -> Voice:
                    return lent_voice(room, log=log, way=way) if room.speaker_id in lent else own_voice(room, way=way)

                return UnlockedVoices(rooms, on_gone=sessions.forget, voice_of=voice_of)

            own = unlocked_for(Way.SERVE)
            token = new_token()
            state = ApiState(
                token=token,
                registry=VoiceRegistry(base_sha256=sessions.base_sha256, own=own),
                speaker=lambda voice: Synthesizer(model_folder(), voice, sessions=sessions),
            )

            assistant = None
            if assistant_port is not None:
                voices = AssistantState(
                    registry=VoiceRegistry(base_sha256=sessions.base_sha256, own=unlocked_for(Way.ASSISTANT)),
                    speaker=state.speaker,
                    desk=state.desk,
                    limits=state.limits,
                    audible_label=assistant_label,
                )
                assistant = stack.enter_context(closing(Assistant(voices, port=assistant_port)))

            def ready(url: str) -> None:
                if token_file is not None:  # not before the port is ours: the file may be that of the program that listens there
                    write_token(token_file, token)
                shown = {"url": url, "voices": [voice.id for voice in own()], "token_file": str(token_file) if token_file else None}
                lines = [terminal.words("serving", url=url)]
                if token_file is None:
                    shown["token"] = token
                    lines.append(f"token: {token}")
                shown["assistant_url"] = assistant.url if assistant else None
                if assistant is not None:
                    lines.append(terminal.words("serving-assistant", url=assistant.url))
                terminal.answer("serve", shown, lines=lines)

            def renewed() -> None:
                changed = [room for room in rooms if room.is_open and renew_voice(room, session.home)]
                if changed:
                    sessions.forget()

            with upkeep(session, contact=renewed):
                run_server(create_app(state), port=port, on_ready=ready, beside=assistant.running if assistant else None)
        terminal.say("served")
