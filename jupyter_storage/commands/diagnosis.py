"""What is wrong, and what to do about it: doctor."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jupyter_storage.commands.command import Command, Context
from jupyter_storage.commands.rendering import Column, clean, human_size
from jupyter_storage.commands.results import Outcome, Record, Table
from jupyter_storage.errors import StorageError
from jupyter_storage.redact import redact

if TYPE_CHECKING:
    from jupyter_storage.config import Settings
    from jupyter_storage.service import Service

__all__ = ["COMMANDS", "Check"]

ABANDONED = timedelta(days=7)
MANY = 1000  # uploads that are looked at
LITTLE_SPACE = 2 * 10**9  # bytes
FEW_WATCHES = 65_536  # directories that one person's programs may watch
PACKAGES = (
    "jupyter_storage",
    "jupyter_server",
    "jupyterlab",
    "ipython",
    "fsspec",
    "s3fs",
    "gcsfs",
    "watchdog",
)
_NEEDED = {"jupyter_storage", "jupyter_server", "ipython", "fsspec", "s3fs", "gcsfs", "watchdog"}


@dataclass(frozen=True)
class Check:
    """One line of the diagnosis.

    Attributes
    ----------
    state : {'ok', 'warning', 'problem'}
    name, message : str
    hint : str
        What to do; empty where nothing is to be done.
    """

    state: Literal["ok", "warning", "problem"]
    name: str
    message: str
    hint: str = ""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults()


def _doctor(arguments: argparse.Namespace, context: Context) -> Outcome:
    checks: list[Check] = [*_versions()]
    try:
        service = context.service()
    except StorageError as error:
        # A wrong configuration is what a doctor is for.
        where = f"{error.path}: " if error.path else ""
        checks.append(
            Check("problem", "configuration", redact(where + error.message), redact(error.hint))
        )
    else:
        checks += _configuration(service.settings)
        checks += _tiers(service)
        checks += _credentials(service.settings)
        checks += _space(service.settings)
        checks += _snapshots(service)
    checks += _limits()
    checks += _extensions()
    table = Table([Record(check) for check in checks], _COLUMNS, layout=_lines)
    problem = any(check.state == "problem" for check in checks)
    return Outcome(table, int(problem))


_COLUMNS = (
    Column("state", "state"),
    Column("name", "what"),
    Column("message", "found"),
    Column("hint", "what to do"),
)


def _versions() -> Iterator[Check]:
    yield Check("ok", "python", f"{platform.python_version()} at {sys.executable}")
    for name in PACKAGES:
        try:
            yield Check("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            if name == "jupyter_storage":
                hint = "Install it where this Python finds it: pip install jupyter_storage."
                yield Check("warning", name, "runs from its source", hint)
            elif name in _NEEDED:
                yield Check("problem", name, "not installed", f"pip install {name}")
            else:
                yield Check("warning", name, "not installed", f"pip install {name}, for the panel")


def _configuration(settings: Settings) -> Iterator[Check]:
    from jupyter_core.paths import jupyter_config_path

    names = ("jupyter_config", "jupyter_server_config", "jupyter_storage_config")
    files = [
        str(Path(directory) / (name + suffix))
        for directory in jupyter_config_path()
        for name in names
        for suffix in (".py", ".json")
        if (Path(directory) / (name + suffix)).is_file()
    ]
    yield Check("ok", "configuration files", ", ".join(files) or "none")
    variables = sorted(
        name
        for name in os.environ
        if name.startswith(("JUPYTER_STORAGE_", "ANYSCALE_")) and os.environ[name]
    )
    yield Check("ok", "environment", ", ".join(variables) or "no variable is set")
    if settings.bucket.startswith("file://"):
        hint = "Set JUPYTER_STORAGE_BUCKET to keep data beyond this machine."
        yield Check("warning", "bucket", f"{settings.bucket}, a directory", hint)
    else:
        yield Check("ok", "bucket", redact(settings.bucket))
    yield Check("ok", "project directory", str(settings.project))


def _tiers(service: Service) -> Iterator[Check]:
    for tier in service.tiers():
        name = f"tier {tier.name}"
        if tier.state != "ok":
            yield Check("problem", name, f"{tier.state}: {tier.reason or ''}", tier.hint or "")
        elif tier.free is not None and tier.free < LITTLE_SPACE:
            message = f"{tier.uri}, only {human_size(tier.free)} free"
            yield Check("warning", name, message, f"See 'jupyter storage du {tier.name}:'.")
        else:
            yield Check("ok", name, tier.uri)
        if tier.state == "ok" and not tier.uri.startswith("file://"):
            yield from _unfinished(service, tier.name)


def _unfinished(service: Service, tier: str) -> Iterator[Check]:
    """Say whether parts of files lie in a bucket, unseen and paid for."""
    old = datetime.now(timezone.utc) - ABANDONED
    try:
        found = list(islice(service.unfinished(f"{tier}:"), MANY))
    except StorageError:
        return  # not everyone may list them
    count = sum(upload.started is not None and upload.started < old for upload in found)
    if count:
        more = " or more" if len(found) == MANY else ""
        message = f"{count:,}{more} were begun more than a week ago and never completed"
        yield Check("warning", f"uploads to {tier}", message, "Run 'jupyter storage cleanup'.")


def _credentials(settings: Settings) -> Iterator[Check]:
    """Say which sources of credentials are there; never what they hold."""
    uris = [settings.bucket, settings.artifacts, *settings.store_options]
    uris += [str(tier.get("uri", "")) for tier in settings.tiers.values()]
    schemes = {uri.partition("://")[0].lower() for uri in uris if "://" in uri}
    if schemes & {"s3", "s3a", "s3n"}:
        yield _sources(
            "S3 credentials",
            (
                "AWS_ACCESS_KEY_ID",
                "AWS_PROFILE",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            ),
            (
                os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
                os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"),
            ),
            "Sign in ('aws sso login', 'aws configure'), or name a profile in store_options.",
        )
    if schemes & {"gs", "gcs"}:
        yield _sources(
            "GCS credentials",
            ("GOOGLE_APPLICATION_CREDENTIALS",),
            ("~/.config/gcloud/application_default_credentials.json",),
            "Sign in: gcloud auth application-default login.",
        )
    if "az" in schemes:
        yield _sources(
            "Azure credentials",
            (
                "AZURE_STORAGE_CONNECTION_STRING",
                "AZURE_STORAGE_ACCOUNT_KEY",
                "AZURE_STORAGE_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_CLIENT_ID",
            ),
            ("~/.azure/azureProfile.json",),
            "Sign in ('az login'), or set AZURE_STORAGE_CONNECTION_STRING.",
        )
    for name, options in settings.store_options.items():
        missing = [
            str(variable)
            for option, variable in options.items()
            if option.endswith("_env") and not os.environ.get(str(variable))
        ]
        if missing:
            message = f"these variables are named and not set: {', '.join(missing)}"
            yield Check("problem", f"credentials of {name}", message, "Set them, then try again.")
        file = options.get("credentials_file")
        if file and not Path(str(file)).expanduser().is_file():
            message = f"there is no file {file}"
            yield Check("problem", f"credentials of {name}", message, "Correct the name.")


def _sources(name: str, variables: tuple[str, ...], files: tuple[str, ...], hint: str) -> Check:
    found = [variable for variable in variables if os.environ.get(variable)]
    found += [file for file in files if Path(file).expanduser().is_file()]
    if found:
        return Check("ok", name, f"found {', '.join(found)}")
    # The machine's own role leaves no trace here, so that this need not be a problem.
    return Check("warning", name, "none but the machine's own role, if it has one", hint)


def _space(settings: Settings) -> Iterator[Check]:
    for name, path in (
        ("project's disk", settings.project),
        ("state's disk", settings.data_directory),
    ):
        existing = next(each for each in (path, *path.parents) if each.exists())
        free = shutil.disk_usage(existing).free
        message = f"{human_size(free)} free at {existing}"
        if free < LITTLE_SPACE:
            yield Check("warning", name, message, "Free some space, or move large files.")
        else:
            yield Check("ok", name, message)
        if not os.access(existing, os.W_OK):
            message = f"{existing} cannot be written"
            yield Check("problem", name, message, "Change its permissions or choose another.")


def _snapshots(service: Service) -> Iterator[Check]:
    if not service.settings.snapshots:
        hint = "Set JUPYTER_STORAGE_SNAPSHOTS=true to protect the project directory."
        yield Check("warning", "snapshots", "turned off", hint)
        return
    try:
        snapshots = service.snapshots.list()
    except StorageError as error:
        yield Check("problem", "snapshots", redact(error.message), redact(error.hint))
        return
    if snapshots:
        newest = f"the newest is of {snapshots[0].time.astimezone():%Y-%m-%d %H:%M:%S}"
        yield Check("ok", "snapshots", f"{len(snapshots)}, {newest}")
    else:
        hint = "JupyterLab takes them by itself; 'jupyter storage snapshot now' takes one."
        yield Check("warning", "snapshots", "none of this project yet", hint)


def _limits() -> Iterator[Check]:
    for name, least in (("max_user_watches", FEW_WATCHES), ("max_user_instances", 16)):
        file = Path("/proc/sys/fs/inotify") / name
        try:
            value = int(file.read_text())
        except (OSError, ValueError):
            continue
        if value < least:
            hint = f"Raise it: sysctl fs.inotify.{name}={least}. Until then changes are polled."
            yield Check("warning", f"inotify {name}", f"{value:,}", hint)
        else:
            yield Check("ok", f"inotify {name}", f"{value:,}")


def _extensions() -> Iterator[Check]:
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    hint = "Install the package again: pip install --force-reinstall jupyter_storage."
    enabled = any(
        (Path(directory) / "jupyter_server_config.d/jupyter_storage.json").is_file()
        for directory in jupyter_config_path()
    )
    yield _present("server extension", enabled, hint)
    built = any(
        (Path(directory) / "jupyter-storage/package.json").is_file()
        for directory in jupyter_path("labextensions")
    )
    yield _present("lab extension", built, hint)
    startup = Path(sys.prefix) / "etc/ipython/startup/50-jupyter-storage.py"
    yield _present("%storage magic", startup.is_file(), hint)


def _present(name: str, found: bool, hint: str) -> Check:
    if found:
        return Check("ok", name, "enabled")
    return Check("problem", name, f"not found in this environment ({sys.prefix})", hint)


def _lines(table: Table) -> str:
    """Write the diagnosis for a shell: a line each, and below it what to do."""
    marks = {"ok": "OK", "warning": "warning", "problem": "PROBLEM"}
    width = max(len(check.name) for check in table)
    text = []
    for check in table:
        found = f"{marks[check.state]:<8} {check.name:<{width}}  {clean(check.message)}"
        text.append(found.rstrip())
        if check.hint:
            text.append(f"{'':8} {'':<{width}}  → {clean(check.hint)}")
    return "\n".join(text)


COMMANDS = (
    Command(
        "doctor",
        "Look for what is wrong, and say what to do about it",
        (("doctor", "every check, a line each"), ("doctor --json", "for a report")),
        _configure,
        _doctor,
        "",
        "Exit status 1 if there is a problem. No secret is ever shown.",
    ),
)
