"""What was deleted and can come back: trash list, trash restore, trash empty."""

from __future__ import annotations

import argparse
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from jupyter_storage.commands.command import Command, Context, age, refuse
from jupyter_storage.commands.rendering import Column, clean, human_size, plural
from jupyter_storage.commands.results import Outcome, Record, Table
from jupyter_storage.commands.transfers import follow
from jupyter_storage.errors import NotFound
from jupyter_storage.records import TrashRecord

if TYPE_CHECKING:
    from jupyter_storage.service import Service

__all__ = ["COMMANDS"]

_COLUMNS = (
    Column("id", "id"),
    Column("deleted", "deleted", "time"),
    Column("size", "size", "size"),
    Column("what", "what"),
)


def _configure_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tier", nargs="?", help="of one tier; unless given: of all")


def _list(arguments: argparse.Namespace, context: Context) -> Outcome:
    records = list(context.service().trashed(_tier(arguments.tier)))
    return Outcome(Table([_row(record) for record in records], _COLUMNS))


def _row(record: TrashRecord) -> Record:
    first = record.paths[0] if record.paths else ""
    more = f" and {record.items - 1:,} more" if record.items > 1 else ""
    return Record(
        {
            "id": f"{record.tier}:{record.id}",
            "deleted": record.deleted,
            "size": record.bytes,
            "what": clean(first) + more,
            "files": record.files,
            "paths": list(record.paths),
            "items": record.items,
            "expires": record.expires,
        }
    )


def _configure_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="as 'trash list' shows it, or 'latest'")


def _restore(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    if arguments.id == "latest":
        newest = max(service.trashed(), key=lambda record: record.deleted, default=None)
        if newest is None:
            raise NotFound("The trash is empty", hint="Only deletions into a trash are undone.")
        tier, identifier = newest.tier, newest.id
    else:
        tier, _, identifier = arguments.id.partition(":")
    return follow(
        service, lambda: service.restore_trash(tier, identifier), "Bringing back", context
    )


def _configure_empty(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", help="tiers, or IDs from 'trash list'; default: all")
    parser.add_argument(
        "--older", type=age, metavar="AGE", help="only what was deleted so long ago: 12h, 3d"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="list it, and do nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _empty(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    chosen = _chosen(service, arguments.what, arguments.older)
    if arguments.dry_run or not chosen:
        return Outcome(Table([_row(record) for record in chosen], _COLUMNS))
    loss = (
        f"{plural(len(chosen), 'deletion')} with "
        f"{plural(sum(record.files for record in chosen), 'file')}, "
        f"{human_size(sum(record.bytes for record in chosen))}"
    )
    if not arguments.yes:
        answer = context.face.ask(f"Empty the trash of {loss}? They are lost for good. [y/N] ")
        if answer is None:
            raise refuse(f"{loss} would be lost", "Add --yes to do it, or --dry-run to see them.")
        if not answer:
            context.face.note("Nothing was deleted.")
            return Outcome(None, 1)
    by_tier: dict[str, list[str]] = {}
    for record in chosen:
        by_tier.setdefault(record.tier, []).append(record.id)
    outcome = Outcome(None)
    for tier, identifiers in by_tier.items():
        start = partial(service.empty_trash, tier, identifiers)
        outcome = follow(service, start, "Emptying", context)
    return outcome


def _chosen(service: Service, words: list[str], older: datetime | None) -> list[TrashRecord]:
    found: list[TrashRecord] = []
    for word in words or [""]:
        tier, _, identifier = word.partition(":")
        records = list(service.trashed(_tier(tier or None)))
        if identifier:
            records = [record for record in records if record.id == identifier]
            if not records:
                raise NotFound("There is no such deletion in the trash", path=word)
        found += records
    return [record for record in found if older is None or record.deleted < older]


def _tier(name: str | None) -> str | None:
    return name.removesuffix(":") if name else None


COMMANDS = (
    Command(
        "trash list",
        "List what was deleted and can come back",
        (
            ("trash list", "of every tier, the newest first"),
            ("trash list shared", "of one tier"),
        ),
        _configure_list,
        _list,
        "tier",
        "'rm --trash' and the panel put things there. Each tier has a trash of its own, hidden in\n"
        "its root; what it holds counts as used, and is deleted for good after 30 days, or what\n"
        "the option trash_days says.",
    ),
    Command(
        "trash restore",
        "Bring back what one deletion took away",
        (
            ("trash restore latest", "undo the last deletion"),
            ("trash restore shared:20261121T174500Z-1a2b3c4d", "an earlier one"),
        ),
        _configure_restore,
        _restore,
        "",
        "Nothing is replaced: what has come to be in its place is named, and the rest comes back.",
    ),
    Command(
        "trash empty",
        "Delete for good what is in the trash",
        (
            ("trash empty", "all of it; asks first, saying what will be lost"),
            ("trash empty shared --older 7d", "of one tier, what was deleted a week ago"),
        ),
        _configure_empty,
        _empty,
        "tier",
    ),
)
