"""Spoken reminders, played on this computer's loudspeaker at their time; what was missed is said.

`reminder` (one reminder, checked), `occurrences` (when it is due), `book` (all of them, and what became of each time, sealed in the
house of the vault), `voices` (which may be chosen), `speech` (text -> sound), `announcer` (plays them at their time).
docs/announcements.md.
"""
