"""Who can read the snapshots: snapshot key."""

from __future__ import annotations

import argparse
from pathlib import Path

from jupyter_storage.commands.command import Command, Context, refuse
from jupyter_storage.commands.rendering import Column
from jupyter_storage.commands.results import Outcome, Record, Table
from jupyter_storage.commands.upkeep import add_project, confirmed
from jupyter_storage.errors import from_os_error

__all__ = ["COMMANDS"]

KEY_COLUMNS = (
    Column("short_id", "id"),
    Column("created", "created", "time"),
    Column("username", "user"),
    Column("hostname", "machine"),
    Column("current", "in use"),
)


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "add", "remove", "change"), help="what to do")
    parser.add_argument("key", nargs="?", default="", metavar="ID", help="which one to remove")
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="the new password is the first line of this file; '-' is standard input",
    )
    parser.add_argument(
        "--no-password", action="store_true", help="add a key with an empty password"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_project(parser)


def _key(arguments: argparse.Namespace, context: Context) -> Outcome:
    if arguments.key and arguments.action != "remove":
        raise refuse(f"'key {arguments.action}' takes no ID", "Only 'key remove' does.")
    if arguments.no_password and arguments.action != "add":
        raise refuse("--no-password is for 'key add'", "Leave it out.")
    upkeep = context.service(project=arguments.project).upkeep
    if arguments.action == "list":
        return Outcome(Table([Record(key) for key in upkeep.list_keys()], KEY_COLUMNS))
    if arguments.action == "add":
        key = upkeep.add_key(_new_password(arguments, context))
        return Outcome(Record(key, text=f"Added the key {key.short_id}"))
    if arguments.action == "change":
        key = upkeep.change_password(_read(arguments.password_file, context))
        text = f"The password beside the repository is a new one, with the key {key.short_id}"
        return Outcome(Record(key, text=text))
    if not arguments.yes and not confirmed(
        context,
        f"Remove the key {arguments.key}? Who has only its password cannot read the snapshots "
        "any more.",
        "Who has only the password of this key could not read the snapshots any more",
        "Add --yes to remove it, or look with 'key list'.",
    ):
        return Outcome(None, 1)
    key = upkeep.remove_key(arguments.key)
    return Outcome(Record(key, text=f"Removed the key {key.short_id}"))


def _new_password(arguments: argparse.Namespace, context: Context) -> str:
    if arguments.no_password:
        if arguments.password_file:
            raise refuse("A password and none exclude each other", "Leave one out.")
        return ""
    password = _read(arguments.password_file, context)
    if not password:
        raise refuse(
            "The new password is missing",
            "Name a file that holds it with --password-file, or say --no-password.",
        )
    return password


def _read(file: str | None, context: Context) -> str:
    if not file:
        return ""
    if file == "-":
        text = context.face.input().readline().decode(errors="replace")
    else:
        try:
            text = Path(file).expanduser().read_text(encoding="utf-8").partition("\n")[0]
        except OSError as error:
            raise from_os_error(error, file) from error
        except UnicodeDecodeError as error:
            raise refuse("The password file is no text", "Save it as UTF-8.", path=file) from error
    text = text.strip("\r\n")
    if not text:
        raise refuse("The first line of the password file is empty", "Write the password there.")
    return text


COMMANDS = (
    Command(
        "snapshot key",
        "List, add, remove or change the passwords that open the snapshots",
        (
            ("snapshot key list", "each key has a password of its own"),
            ("snapshot key add --password-file mine.txt", "a password of your own"),
            ("snapshot key remove 1a2b3c4d", "take one away"),
            ("snapshot key change", "a new password, by chance, beside the repository"),
        ),
        _configure,
        _key,
        "",
        "What is stored stays encrypted as it is: whoever had a password and copied the data\n"
        "before can still read the copy.",
    ),
)
