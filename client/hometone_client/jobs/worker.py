"""The process that makes one queued voice: `python -m hometone_client.jobs.worker HOME SPEAKER_ID`.

It opens the speaker by her work slot, knows no PIN, and answers with JSON lines on standard output: progress, then one record or one
error. Those lines hold figures and words of Hometone's own, nothing of a recording.

It ends with the queue that started it, even if that was killed: two workers on one voice would take the memory of both. Standard input says
when; what the worker is doing may be cut off at any point, because the vault survives that.
"""

import json
import os
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from hometone_client.federation.newest_release import newest_release
from hometone_client.jobs.making import make_voice
from hometone_client.jobs.queue import read_job
from hometone_client.models import model_folder
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.withdrawal.opening import opened_vault
from hometone_shared.errors import HometoneError, ResourceError, UsageError


def answer(message: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Do the job; returns the exit code."""
    home, speaker_id = Path(arguments[0]), arguments[1]
    try:
        with (
            opened_vault(home) as vault,
            SpeakerRoom(vault.unlock_for_work(speaker_id)) as room,
        ):
            job = read_job(room)
            if job is None:
                answer({"error": "this speaker has no job in the queue"})
                return UsageError.exit_code

            def progress(fraction: float, words: str, remaining_s: float | None) -> None:
                answer({"fraction": fraction, "words": words, "remaining_s": remaining_s})

            record = make_voice(
                room,
                tier=job.tier,
                models=model_folder(),
                progress=progress,
                price_per_hour=job.price_per_hour,
                shared=newest_release(home),
            )
    except HometoneError as error:
        answer({"error": error.message, "hint": error.hint})
        return error.exit_code
    except Exception as error:
        answer({"error": f"a mistake in Hometone itself ({type(error).__name__})"})
        return 70
    answer({"record": record})
    return 0


def end_with_the_queue() -> None:
    """Wait until standard input ends, which it does when the queue is gone, and end this process at once."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ResourceError.exit_code)


if __name__ == "__main__":
    Thread(target=end_with_the_queue, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
