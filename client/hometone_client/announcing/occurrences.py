"""When a reminder is due: from dates and times of the wall clock to moments that every clock agrees on.

1. The rule is counted on the wall clock, with `dateutil.rrule`, which knows nothing of time zones.
2. Each wall time becomes a moment where the computer stands (PEP 495). One that is skipped when summer time begins is as long after
   midnight as ever: half past two sounds when clocks show half past three. One that comes twice when it ends sounds the first time.
3. The 31st of a month that has none is its last day: a tablet a month is not left out.

What it may see: a reminder's times. What it must never do: look at a clock.
"""

import datetime as dt
from typing import Final

from dateutil import rrule

from hometone_client.announcing.reminder import Reminder, Repeat

_DAY: Final = dt.timedelta(days=1)
_SHORTEST_MONTH: Final = 28
_LONGEST_STEP: Final = dt.timedelta(days=3660)
"""Every rule that has not ended comes at least once in so long a time."""


def occurrences(reminder: Reminder, *, after: dt.datetime, until: dt.datetime, zone: dt.tzinfo | None = None) -> tuple[dt.datetime, ...]:
    """Moments at which a reminder is due, oldest first; those of one that is switched off, too.

    Args:
        reminder: Which.
        after: Later than this, with a time zone.
        until: Up to and with this, with a time zone.
        zone: Where the computer stands; None asks the operating system.

    Returns:
        Moments in UTC.
    """
    if until <= after:
        return ()
    low, high = _wall(after, zone) - _DAY, _wall(until, zone) + _DAY
    walls = _rule(reminder, low).between(low, high, inc=True)  # (1)
    moments = (_moment(wall, zone) for wall in walls if reminder.until is None or wall.date() <= reminder.until)
    return tuple(sorted({moment for moment in moments if after < moment <= until}))


def next_occurrence(reminder: Reminder, *, after: dt.datetime, zone: dt.tzinfo | None = None) -> dt.datetime | None:
    """The next moment at which a reminder is due, or None if there is no other.

    Args:
        reminder: Which.
        after: Later than this, with a time zone.
        zone: Where the computer stands; None asks the operating system.
    """
    wall = _wall(after, zone) - _DAY
    rule = _rule(reminder, wall)
    while True:
        found = rule.after(wall)
        if found is None or (reminder.until is not None and found.date() > reminder.until):
            return None
        moment = _moment(found, zone)
        if moment > after:
            return moment
        wall = found


def _wall(moment: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _moment(wall: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """(2) `fold=0` is the offset before a change, in a gap as in a repetition."""
    return (wall if zone is None else wall.replace(tzinfo=zone)).astimezone(dt.UTC)


def _rule(reminder: Reminder, from_wall: dt.datetime) -> rrule.rrule:
    """The rule, begun as late as may be, so that one of years ago is not counted from its first day."""
    first = reminder.first
    gone = max(0, (from_wall.date() - first.date()).days - 1)
    if reminder.repeat is Repeat.ONCE:
        return rrule.rrule(rrule.DAILY, dtstart=first, count=1)
    if reminder.repeat is Repeat.WEEKDAYS:
        return rrule.rrule(rrule.WEEKLY, dtstart=first + gone * _DAY, byweekday=sorted(reminder.weekdays))
    if reminder.repeat is Repeat.MONTHLY:
        months = max(0, (from_wall.year - first.year) * 12 + from_wall.month - first.month - 1)
        year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
        start = first if months == 0 else first.replace(year=year, month=month + 1, day=1)
        days = range(min(_SHORTEST_MONTH, first.day), first.day + 1)  # (3)
        return rrule.rrule(rrule.MONTHLY, dtstart=start, bymonthday=list(days), bysetpos=-1)
    step = reminder.every_days
    return rrule.rrule(rrule.DAILY, dtstart=first + gone // step * step * _DAY, interval=step)
