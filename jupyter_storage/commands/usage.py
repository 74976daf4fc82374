"""What fills a tier, and what a copy would mean: usage, advise."""

from __future__ import annotations

import argparse
from typing import Any

from jupyter_storage.commands.command import Command, Context
from jupyter_storage.commands.files import ENTRY_COLUMNS, path_line
from jupyter_storage.commands.rendering import Column, human_size, plural
from jupyter_storage.commands.results import Outcome, Record, Stream, Table

__all__ = ["COMMANDS"]

_COLUMNS = (
    Column("tier", "tier"),
    Column("files", "files", "number"),
    Column("bytes", "size", "size"),
    Column("own_bytes", "yours", "size"),
    Column("trash_bytes", "trash", "size"),
)


def _configure_usage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tier", nargs="+", help="tiers to count")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--largest", action="store_true", help="list the largest files")
    which.add_argument("--oldest", action="store_true", help="list the files changed longest ago")


def _usage(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    reports = [service.survey(name.removesuffix(":")) for name in arguments.tier]
    if arguments.largest or arguments.oldest:
        found = [
            entry
            for report in reports
            for entry in (report.largest if arguments.largest else report.oldest)
        ]
        return Outcome(Stream(iter(found), ENTRY_COLUMNS, path_line))
    rows = []
    for report in reports:
        record = service.tier(report.tier)
        fields: dict[str, Any] = {
            "tier": report.tier,
            "files": report.files,
            "bytes": report.bytes,
            "own_files": report.own_files,
            "own_bytes": report.own_bytes,
            "trash_bytes": report.trash_bytes,
            "used": record.used,
            "free": record.free,
            "quota": record.quota,
            "full_in_days": record.full_in_days,
        }
        rows.append(Record(fields))
        if record.full_in_days is not None:
            context.face.note(
                f"{report.tier}: is full in about {record.full_in_days:.0f} days at this rate."
            )
    return Outcome(Table(rows, _COLUMNS))


def _configure_advise(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="SRC… DST: what would be copied, and where"
    )


def _advise(arguments: argparse.Namespace, context: Context) -> Outcome:
    *sources, destination = arguments.paths
    plan = context.service().estimate(sources, destination, recursive=True)
    lines = [f"{plural(plan.files, 'file')}, {human_size(plan.bytes)}"]
    if plan.cost is not None and plan.cost >= 0.01:
        lines.append(
            f"The cloud asks about ${plan.cost:,.2f} for it, and more for what leaves the cloud"
        )
    lines += [f"{advice.message}. {advice.hint}" for advice in plan.advice]
    if not plan.advice:
        lines.append("Nothing speaks against it.")
    fields = {
        "files": plan.files,
        "bytes": plan.bytes,
        "cost": plan.cost,
        "advice": list(plan.advice),
    }
    return Outcome(Record(fields, text="\n".join(lines)))


COMMANDS = (
    Command(
        "usage",
        "Count what lies on tiers, how much of it is yours, and what is largest or oldest",
        (
            ("usage shared", "files, bytes, your own, and the trash"),
            ("usage artifacts --largest", "what to look at first when it gets full"),
            ("usage shared --oldest", "what nobody has changed for longest"),
        ),
        _configure_usage,
        _usage,
        "tier",
        "Every file is looked at once; a tier with a million files takes minutes.",
    ),
    Command(
        "advise",
        "Say what a copy would be, and what speaks against it",
        (("advise data shared:data", "sizes, secrets, regions; nothing is copied"),),
        _configure_advise,
        _advise,
        "path",
    ),
)
