"""Object storage as directories: mount, unmount, mounts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from jupyter_storage.commands.command import Command, Context, refuse
from jupyter_storage.commands.rendering import Column, plural
from jupyter_storage.commands.results import Outcome, Record, Table
from jupyter_storage.records import MountRecord

__all__ = ["COMMANDS", "MOUNT_COLUMNS"]

MOUNT_COLUMNS = (
    Column("target", "target"),
    Column("uri", "what"),
    Column("mode", "mode"),
    Column("state", "state"),
    Column("mounter", "mounter"),
    Column("pending", "not uploaded", "number"),
    Column("created", "created", "time"),
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


def _mount(arguments: argparse.Namespace, context: Context) -> Outcome:
    record = context.service().mount(
        arguments.path,
        Path(arguments.target).expanduser(),
        read_only=arguments.read_only,
        cached=arguments.cached,
        mounter=arguments.mounter,
    )
    text = f"{record.uri} is mounted at {record.target} ({record.mounter}: {record.reason})"
    return Outcome(Record(record, text=text))


def _configure_unmount(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="DIR", nargs="+", help="as 'mounts' lists it")
    parser.add_argument(
        "--force", action="store_true", help="also where files are open; what is written is lost"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _unmount(arguments: argparse.Namespace, context: Context) -> Outcome:
    mounts = context.service().mounts
    targets = [Path(target).expanduser() for target in arguments.target]
    lost = [each.key for target in targets for each in mounts.pending(target)]
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
    fields = {"unmounted": arguments.target}
    return Outcome(Record(fields, text=f"Unmounted {', '.join(arguments.target)}"))


def _configure_mounts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repair", action="store_true", help="bring back those that are dead or missing"
    )


def _mounts(arguments: argparse.Namespace, context: Context) -> Outcome:
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
    text = f"All is uploaded; {plural(files, 'file')} had to be waited for"
    return Outcome(Record({"flushed": targets, "files": files}, text=text))


COMMANDS = (
    Command(
        "mount",
        "Let a bucket, or a part of one, appear as a directory",
        (
            ("mount s3://bucket/data ~/data", "read and write as if it were files"),
            ("mount --read-only artifacts:datasets ~/datasets", "a part of a tier"),
        ),
        _configure_mount,
        _mount,
        "path",
        "Files are read as they are needed, and written as wholes: from their beginning to their\n"
        "end, there for everybody when they are closed. Nothing can be appended or changed inside.",
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
        "Wait until all that was written to cached mounts is in the bucket",
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
            ("mounts --repair", "bring back those that do not work"),
        ),
        _configure_mounts,
        _mounts,
        "",
    ),
)
