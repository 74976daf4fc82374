"""The command that brings a snapshot back."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from jupyter_storage.commands.command import Command, Context, refuse
from jupyter_storage.commands.rendering import human_size, plural
from jupyter_storage.commands.results import Outcome, Record
from jupyter_storage.commands.transfers import follow
from jupyter_storage.commands.versions import project_key
from jupyter_storage.records import ConflictPolicy, RestorePlan

__all__ = ["CLONE", "RESTORE"]

_POLICIES = (
    ("--overwrite", ConflictPolicy.OVERWRITE, "replace files that the snapshot has too"),
    ("--skip", ConflictPolicy.SKIP, "leave whatever is there"),
    ("--newer", ConflictPolicy.NEWER, "replace files that are older than the snapshot's"),
)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        nargs="*",
        metavar="ID PATH",
        help="a snapshot's ID, its beginning, or 'latest'; then files and directories of the "
        "project, if not everything is to come back",
    )
    parser.add_argument(
        "--at",
        metavar="WHEN",
        help="in place of ID: the newest snapshot from before this time, such as '10 minutes ago', "
        "'yesterday 14:00' or '2026-11-21 10:00'",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--target", metavar="DIR", help="put the files below this directory")
    where.add_argument(
        "--in-place", action="store_true", help="put them where they were, in the project directory"
    )
    where.add_argument(
        "--cell",
        metavar="CELL",
        help="put one cell of a notebook back, by its ID or its number in that version, from 1; "
        "the rest of the notebook stays as it is now",
    )
    policies = parser.add_mutually_exclusive_group()
    for option, policy, text in _POLICIES:
        policies.add_argument(option, dest="policy", action="store_const", const=policy, help=text)
    policies.add_argument(
        "--exact",
        action="store_true",
        help="as --overwrite, and remove what the snapshot lacks; with --in-place, asks first",
    )
    parser.set_defaults(policy=ConflictPolicy.FAIL)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--project",
        metavar="DIR",
        help="project directory; default: the Jupyter server's root directory, or in a shell of "
        "your own the current directory",
    )


def _restore(arguments: argparse.Namespace, context: Context) -> Outcome:
    snapshot, words = arguments.at, list(arguments.words)
    if snapshot is None:
        if not words:
            raise refuse(
                "Which snapshot is missing",
                "Give an ID of 'snapshot list', 'latest', or --at '10 minutes ago'.",
            )
        snapshot = words.pop(0)
    if arguments.cell is not None:
        return _restore_cell(arguments, snapshot, words, context)
    if not arguments.target and not arguments.in_place:
        raise refuse(
            "Where to is missing",
            "Add --target DIR to look at the files first, or --in-place to put them back.",
        )
    service = context.service(project=arguments.project)
    project = service.settings.project
    target = os.path.abspath(Path(arguments.target or project).expanduser())  # noqa: PTH100  links stay links
    paths = [_in_project(word, project) for word in words]
    policy = ConflictPolicy.OVERWRITE if arguments.exact else arguments.policy
    if arguments.exact and not arguments.yes:
        plan = service.snapshots.plan_restore(snapshot, paths=paths, exact=True)
        if plan.removed and not _confirmed(plan, context):
            context.face.note("Nothing was changed.")
            return Outcome(None, 1)
        snapshot = plan.snapshot.id
    outcome = follow(
        service,
        lambda: service.restore(
            snapshot, target, paths=paths, conflict=policy, exact=arguments.exact
        ),
        "Restoring",
        context,
    )
    return _with_undo(outcome, paths, context)


def _restore_cell(
    arguments: argparse.Namespace, snapshot: str, words: Sequence[str], context: Context
) -> Outcome:
    if len(words) != 1 or arguments.exact or arguments.policy is not ConflictPolicy.FAIL:
        raise refuse(
            "A cell comes back into one notebook, where the rest stays",
            "Name a snapshot, one notebook and the cell: 'snapshot restore ID n.ipynb --cell 3'.",
        )
    service = context.service(project=arguments.project)
    key = project_key(words[0], service)
    done = service.history.restore_cell(snapshot, key, arguments.cell)
    how = "is as it was" if done.replaced else "is back"
    text = f"Cell {done.number} of {done.path} {how} in snapshot {done.snapshot[:8]}"
    context.face.note(
        f"To undo it: {context.face.program} snapshot restore {done.saved[:8]} {words[0]} "
        "--in-place --overwrite"
    )
    return Outcome(Record(done, text=text))


def _in_project(word: str, project: Path) -> str:
    """A path as a person types it: relative to where he is, if that is in the project."""
    here = Path.cwd()
    base = here if here.is_relative_to(project) else project
    path = os.path.normpath(base / Path(word).expanduser())
    return str(path)


def _confirmed(plan: RestorePlan, context: Context) -> bool:
    loss = f"{plural(plan.removed, 'file')}, {human_size(plan.removed_bytes)}"
    names = ", ".join(plan.examples[:3]) + (", …" if plan.removed > 3 else "")
    undo = plan.undo.short_id
    answer = context.face.ask(
        f"Remove {loss}, that snapshot {plan.snapshot.short_id} lacks ({names}), and replace "
        f"{plural(plan.replaced, 'file')}? All of them are in snapshot {undo}. [y/N] "
    )
    if answer is None:
        raise refuse(
            f"{loss}, would be removed: {names}",
            "Add --yes to remove them, or --overwrite in place of --exact to keep them.",
        )
    return answer


def _with_undo(outcome: Outcome, paths: Sequence[str], context: Context) -> Outcome:
    undo = outcome.value["undo"] if isinstance(outcome.value, Record) else None
    if undo:
        words = " ".join(["snapshot restore", undo[:8], *paths, "--in-place"])
        context.face.note(
            f"To undo it: {context.face.program} {words} {'--overwrite' if paths else '--exact'}"
        )
    return outcome


RESTORE = Command(
    "snapshot restore",
    "Bring a snapshot back, or files and directories of one",
    (
        ("snapshot restore latest --target /tmp/back", "the newest one, to look at"),
        ("snapshot restore 1a2b3c4d sub/a.ipynb --in-place --overwrite", "one file of one"),
        ("snapshot restore 1a2b3c4d n.ipynb --cell 3", "one cell of a notebook"),
        ("snapshot restore --at '10 minutes ago' --in-place --exact", "as everything was then"),
        ("snapshot restore --at 'yesterday 14:00' data --target old", "a directory as it was then"),
    ),
    _configure,
    _restore,
    "",
    "Without --overwrite, --skip, --newer or --exact, the target must be empty or new, and paths\n"
    "must not exist in it. Before anything is replaced in the project directory a snapshot is\n"
    "taken, and named at the end. What snapshots leave out is neither replaced nor removed.",
)


def _configure_clone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "snapshot", metavar="ID", help="ID, its beginning, 'latest', or a time in quotes"
    )
    parser.add_argument("workspace", metavar="NEW_ID", help="ID of the new workspace")
    parser.add_argument("--target", metavar="DIR", help="also put the files into this directory")
    parser.add_argument("--project", metavar="DIR", help="as for 'snapshot restore'")


def _clone(arguments: argparse.Namespace, context: Context) -> Outcome:
    service = context.service(project=arguments.project)
    chosen = service.snapshots.find(arguments.snapshot)
    record = service.clone(chosen.id, arguments.workspace)
    if arguments.target:
        target = os.path.abspath(Path(arguments.target).expanduser())  # noqa: PTH100  links stay
        outcome = follow(service, lambda: service.restore(chosen.id, target), "Restoring", context)
        if outcome.status:
            return outcome
    text = (
        f"Workspace {arguments.workspace} begins with snapshot {record.short_id}. Start a server "
        f"in an empty directory with JUPYTER_STORAGE_WORKSPACE_ID={arguments.workspace}"
    )
    return Outcome(Record(record, text=text))


CLONE = Command(
    "snapshot clone",
    "Begin a new workspace with a snapshot of this one",
    (
        ("snapshot clone latest experiment-2", "from the newest one"),
        ("snapshot clone 1a2b3c4d experiment-2 --target ~/two", "and have its files here too"),
    ),
    _configure_clone,
    _clone,
    "",
    "The new workspace lies in the same bucket and has a repository and a password of its own.\n"
    "What lies in tiers, such as 'cluster:', is not cloned.",
)
