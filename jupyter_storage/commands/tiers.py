"""The tiers and the environment: tiers, env."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from jupyter_storage.commands.command import Command, Context
from jupyter_storage.commands.rendering import Column
from jupyter_storage.commands.results import Outcome, Record, Table, Text
from jupyter_storage.records import TierRecord

__all__ = ["COMMANDS", "TIER_COLUMNS", "exports"]

TIER_COLUMNS = (
    Column("name", "tier"),
    Column("state", "state"),
    Column("scope", "scope"),
    Column("lifetime", "lifetime"),
    Column("used", "used", "size"),
    Column("free", "free", "size"),
    Column("uri", "where"),
    Column("reason", "reason"),
)


def _configure_tiers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="*", help="only these tiers")


def _tiers(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service()
    names = [name.removesuffix(":") for name in arguments.name]
    records = [service.tier(name) for name in names] if names else service.tiers()
    return Outcome(Table([Record(record) for record in records], _columns(records)))


def _columns(records: Sequence[TierRecord]) -> tuple[Column, ...]:
    """Leave out what no tier has."""
    return tuple(
        column
        for column in TIER_COLUMNS
        if column.field not in {"used", "free", "reason"}
        or any(getattr(record, column.field) is not None for record in records)
    )


def _configure_env(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults()


def _env(arguments: argparse.Namespace, context: Context) -> Outcome:
    return Outcome(exports(context.service().environment()))


def exports(values: dict[str, str]) -> Text:
    """Write variables as lines that a shell can evaluate."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(values.items())]
    return Text("\n".join(lines), values)


COMMANDS = (
    Command(
        "tiers",
        "Show every tier: who sees it, how long it lasts, how full it is",
        (
            ("tiers", "all of them"),
            ("tiers shared artifacts", "two of them"),
            ("tiers --json", "as JSON, for programs"),
        ),
        _configure_tiers,
        _tiers,
        "tier",
        "A tier that is not there says why and what to do; it holds up no other.",
    ),
    Command(
        "env",
        "Print the variables that kernels and terminals get, for a shell to evaluate",
        (
            ('eval "$(jupyter storage env)"', "the same settings in a shell of your own"),
            ("env --json", "as a JSON object"),
        ),
        _configure_env,
        _env,
    ),
)
