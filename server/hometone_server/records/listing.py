"""The log as a list: which entries there are, newest first, without what they hold."""

from hometone_server.records.store import LogStore


def recent_entries(log: LogStore, *, kind: str | None = None, before: int | None = None, most: int) -> list[tuple[int, str, str]]:
    """Index, type and digest of entries, newest first.

    Args:
        log: The log.
        kind: Of this type only.
        before: Only those with a smaller index.
        most: How many.
    """
    end = log.checkpoint().size if before is None else before
    where, values = ("kind = ? AND ", (kind,)) if kind is not None else ("", ())
    rows = log.query(
        f"SELECT position, kind, digest FROM entries WHERE {where}position < ? ORDER BY position DESC LIMIT ?",  # noqa: S608 - fixed texts
        (*values, end, most),
    )
    return [(int(str(position)), str(name), str(digest)) for position, name, digest in rows]


def entries_by_kind(log: LogStore) -> dict[str, int]:
    """How many entries of each type there are."""
    return {str(kind): int(str(count)) for kind, count in log.query("SELECT kind, COUNT(*) FROM entries GROUP BY kind")}
