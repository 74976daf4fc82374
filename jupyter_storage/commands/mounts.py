"""Object storage as directories: mount, unmount, mounts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from jupyter_storage.commands.command import Command, Context, positive, refuse
from jupyter_storage.commands.rendering import Column, plural
from jupyter_storage.commands.results import Outcome, Record, Table
from jupyter_storage.commands.transfers import follow
from jupyter_storage.records import MountRecord, NodeMountRecord

__all__ = ["COMMANDS", "MOUNT_COLUMNS", "add_copy", "check_every"]

MOUNT_COLUMNS = (
    Column("target", "target"),
    Column("uri", "what"),
    Column("mode", "mode"),
    Column("state", "state"),
    Column("mounter", "mounter"),
    Column("pending", "not uploaded", "number"),
    Column("created", "created", "time"),
)

NODE_COLUMNS = (
    Column("node", "node"),
    Column("target", "target"),
    Column("uri", "what"),
    Column("mode", "mode"),
    Column("state", "state"),
    Column("pending", "not uploaded", "number"),
    Column("error", "why"),
)


def _configure_mount(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", help="a bucket or a part of one: URI, or tier:relative/path")
    parser.add_argument("target", metavar="DIR", help="where it appears; made if need be")
    parser.add_argument(
        "--cached", action="store_true", help="write to this machine first, upload after the close"
    )
    parser.add_argument("--read-only", action="store_true", help="take no writes")
    parser.add_argument(
        "--mounter",
        metavar="NAME",
        help="built-in, rclone, mountpoint-s3, gcsfuse or s3fs; else one is chosen",
    )
    _add_nodes(parser)
    add_copy(parser, "fetch a copy in place of a mount; 'flush' brings its changes back")


def _add_nodes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--nodes", action="store_true", help="on every node of the Ray cluster, also on later ones"
    )


def add_copy(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the options of copies that stand in for mounts."""
    parser.add_argument("--copy", action="store_true", help=text)
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=positive,
        help="with --copy: bring its changes back by itself, this often",
    )


def check_every(arguments: argparse.Namespace) -> None:
    """See that what is said of copies is said with --copy."""
    if arguments.every and not arguments.copy:
        raise refuse("--every is for copies alone", "Add --copy, or leave it out.")


def _mount(arguments: argparse.Namespace, context: Context) -> Outcome:
    check_every(arguments)
    if arguments.nodes:
        return _mount_on_nodes(arguments, context)
    if arguments.copy:
        return _mount_copy(arguments, context)
    record = context.service().mount(
        arguments.path,
        Path(arguments.target).expanduser(),
        read_only=arguments.read_only,
        cached=arguments.cached,
        mounter=arguments.mounter,
    )
    text = f"{record.uri} is mounted at {record.target} ({record.mounter}: {record.reason})"
    return Outcome(Record(record, text=text))


def _mount_on_nodes(arguments: argparse.Namespace, context: Context) -> Outcome:
    if arguments.mounter or arguments.every:
        raise refuse(
            "On nodes, mounters are chosen by each, and copies stay as they are fetched",
            "Leave out --mounter, --every.",
        )
    if arguments.copy and arguments.cached:
        raise refuse("A copy has nothing to cache", "Leave out --cached.")
    records = context.service().mount_on_nodes(
        arguments.path,
        arguments.target,
        read_only=arguments.read_only,
        cached=arguments.cached,
        copied=arguments.copy,
    )
    return _on_nodes(records)


def _on_nodes(records: Sequence[NodeMountRecord]) -> Outcome:
    status = int(any(record.state != "ok" for record in records))
    return Outcome(Table([Record(record) for record in records], NODE_COLUMNS), status)


def _mount_copy(arguments: argparse.Namespace, context: Context) -> Outcome:
    if arguments.cached or arguments.mounter:
        raise refuse(
            "A copy has no mounter, and nothing to cache", "Leave out --cached, --mounter."
        )
    service = context.service()
    target = Path(arguments.target).expanduser()
    return follow(
        service,
        lambda: service.mount_copy(
            arguments.path, target, read_only=arguments.read_only, every=arguments.every
        ),
        "Fetching",
        context,
    )


def _configure_unmount(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="DIR", nargs="+", help="as 'mounts' lists it")
    parser.add_argument(
        "--force", action="store_true", help="also where files are open; what is written is lost"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    _add_nodes(parser)


def _unmount(arguments: argparse.Namespace, context: Context) -> Outcome:
    fields = {"unmounted": arguments.target}
    done = Outcome(Record(fields, text=f"Unmounted {', '.join(arguments.target)}"))
    if arguments.nodes:
        return _unmount_on_nodes(arguments, context, done)
    mounts = context.service().mounts
    targets = [Path(target).expanduser() for target in arguments.target]
    lost = [each.key for target in targets for each in mounts.losses(target)]
    if arguments.force and lost and not arguments.yes:
        what = f"{plural(len(lost), 'file')} not uploaded yet: {', '.join(lost[:5])}"
        answer = context.face.ask(f"Lose {what}? [y/N] ")
        if answer is None:
            raise refuse(f"{what} would be lost", "Add --yes, or leave out --force to wait.")
        if not answer:
            context.face.note("Nothing was unmounted.")
            return Outcome(None, 1)
    for target in targets:
        mounts.unmount(target, force=arguments.force)
    return done


def _unmount_on_nodes(arguments: argparse.Namespace, context: Context, done: Outcome) -> Outcome:
    if arguments.force and not arguments.yes:
        question = "Lose what is not uploaded yet on the nodes? [y/N] "
        answer = context.face.ask(question)
        if answer is None:
            raise refuse("What is not uploaded would be lost", "Add --yes, or leave out --force.")
        if not answer:
            context.face.note("Nothing was unmounted.")
            return Outcome(None, 1)
    for target in arguments.target:
        context.service().unmount_on_nodes(target, force=arguments.force)
    return done


def _configure_mounts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repair",
        action="store_true",
        help="bring back those that are dead or missing, and fetch what copies lack",
    )
    parser.add_argument(
        "--nodes", action="store_true", help="those on every node of the Ray cluster"
    )


def _mounts(arguments: argparse.Namespace, context: Context) -> Outcome:
    if arguments.nodes:
        # Those are brought back without being asked for.
        return _on_nodes(context.service().mounts_on_nodes())
    mounts = context.service().mounts
    records: Sequence[MountRecord] = mounts.reconcile() if arguments.repair else mounts.all()
    status = int(any(record.state != "ok" for record in records))
    return Outcome(Table([Record(record) for record in records], MOUNT_COLUMNS), status)


def _configure_flush(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="DIR", nargs="*", help="only these; all unless given")


def _flush(arguments: argparse.Namespace, context: Context) -> Outcome:
    mounts = context.service().mounts
    targets = arguments.target or [record.target for record in mounts.all()]
    files = sum(mounts.flush(Path(target).expanduser()) for target in targets)
    text = f"All is uploaded: {plural(files, 'file')}"
    return Outcome(Record({"flushed": targets, "files": files}, text=text))


COMMANDS = (
    Command(
        "mount",
        "Let a bucket, or a part of one, appear as a directory",
        (
            ("mount s3://bucket/data ~/data", "read and write as if it were files"),
            ("mount --read-only artifacts:datasets ~/datasets", "a part of a tier"),
            ("mount --copy --every 60 s3://bucket/data ~/data", "where nothing can be mounted"),
        ),
        _configure_mount,
        _mount,
        "path",
        "Files are read as they are needed, and written as wholes: from their beginning to their\n"
        "end, there for everybody when they are closed. Nothing can be appended, or changed "
        "inside.\n"
        "\n"
        "With --copy, all is fetched now. What you change stays here until 'flush', 'unmount' or\n"
        "--every brings it back. Nothing is deleted in the bucket, and what others changed there\n"
        "meanwhile is not replaced. The same command again fetches what is new.",
    ),
    Command(
        "unmount",
        "Take a mount away; what is in the bucket stays",
        (("unmount ~/data", "when no file in it is open"),),
        _configure_unmount,
        _unmount,
        "path",
    ),
    Command(
        "flush",
        "See that all that was written to cached mounts and copies is in the bucket",
        (("flush ~/data", "before the machine is given back"),),
        _configure_flush,
        _flush,
        "path",
    ),
    Command(
        "mounts",
        "List the mounts, and whether they work",
        (
            ("mounts", "all of them"),
            ("mounts --repair", "bring back those that do not work, and fetch what copies lack"),
        ),
        _configure_mounts,
        _mounts,
        "",
    ),
)
