"""Programs of others that can serve a mount: what they can do, and how they are started.

Secrets go to them in their environment, never among their arguments, which everybody can see.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_storage.mounts.requests import Request
from jupyter_storage.paths import join, split_uri

__all__ = ["PROGRAMS", "Program", "Start"]

_BUNDLE = "AWS_CA_BUNDLE"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True, slots=True)
class Start:
    """How a program is started.

    Attributes
    ----------
    arguments : list of str
        Its own name first.
    environment : mapping
        The whole of it.
    """

    arguments: list[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Program:
    """One program.

    Attributes
    ----------
    name : str
        As people know it.
    command : str
        As it is installed.
    schemes : tuple of str
        What it can mount.
    good_for : str
        Why one would choose it.
    start : callable
        From a request and a directory for its own files.
    in_order : bool
        Whether it has to be asked in order: it takes requests that overtake each other for jumps.
    """

    name: str
    command: str
    schemes: tuple[str, ...]
    good_for: str
    start: Callable[[Request, Path], Start]
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class _S3:
    """What a program is told of a service that speaks S3."""

    endpoint: str
    region: str
    anonymous: bool
    environment: dict[str, str]


def _s3(request: Request) -> _S3:
    from jupyter_storage.stores.s3_identity import S3Identity

    _, bucket, _ = split_uri(request.uri)
    options = request.options
    who = S3Identity(bucket, options)
    environment = {name: value for name, value in os.environ.items() if name not in _ENDPOINTS}
    region = options.get("region") or environment.get("AWS_REGION")
    region = str(region or environment.get("AWS_DEFAULT_REGION") or "us-east-1")
    environment["AWS_REGION"] = region
    if options.get("profile"):
        environment["AWS_PROFILE"] = str(options["profile"])
    if not who.anonymous:
        found = who.credentials()
        # Those that end are renewed by the program, which finds them as we did.
        if not found["token"]:
            environment["AWS_ACCESS_KEY_ID"] = found["access_key_id"]
            environment["AWS_SECRET_ACCESS_KEY"] = found["secret_access_key"]
    return _S3(who.endpoint, region, who.anonymous, environment)


def _rclone(request: Request, directory: Path) -> Start:
    scheme, bucket, prefix = split_uri(request.uri)
    if scheme == "s3":
        s3 = _s3(request)
        environment = s3.environment
        # Its library cannot take it from there.
        bundle = environment.pop(_BUNDLE, None)
        if bundle:
            environment["RCLONE_CA_CERT"] = bundle
        remote = {
            "type": "s3",
            "provider": "Other" if s3.endpoint else "AWS",
            "env_auth": str(not s3.anonymous).lower(),
            "region": s3.region,
            "endpoint": s3.endpoint,
            "force_path_style": str(bool(s3.endpoint)).lower(),
            "no_check_bucket": "true",
        }
        if s3.anonymous:
            environment = {n: v for n, v in environment.items() if not n.startswith("AWS_")}
    else:
        environment = dict(os.environ)
        anonymous = bool(request.options.get("anonymous"))
        remote = {
            "type": "google cloud storage",
            "anonymous" if anonymous else "env_auth": "true",
            "bucket_policy_only": "true",
        }
    for option, value in remote.items():
        environment[f"RCLONE_CONFIG_STORAGE_{option.upper()}"] = value
    environment["RCLONE_CONFIG"] = os.devnull
    words = ["rclone", "mount", f"storage:{join(bucket, prefix)}", request.target]
    # Nothing is remembered: who opens a file sees what is there.
    words += ["--vfs-cache-mode", "off", "--dir-cache-time", "0s", "--attr-timeout", "0s"]
    words += ["--poll-interval", "0s", "--cache-dir", str(directory / "rclone")]
    words += ["--buffer-size", "32M"] + (["--read-only"] if request.read_only else [])
    if _knows(["rclone", "mount", "--help"], "--vfs-read-chunk-streams"):
        words += ["--vfs-read-chunk-streams", "4", "--vfs-read-chunk-size", "16M"]
    return Start(words + (["--allow-other"] if os.getuid() == 0 else []), environment)


def _mountpoint_s3(request: Request, directory: Path) -> Start:
    s3 = _s3(request)
    _, bucket, prefix = split_uri(request.uri)
    words = ["mount-s3", bucket, request.target, "--foreground", "--region", s3.region]
    if prefix:
        words += ["--prefix", f"{prefix}/"]
    if s3.endpoint:
        words += ["--endpoint-url", s3.endpoint, "--force-path-style"]
    if s3.anonymous:
        words += ["--no-sign-request"]
    words += ["--read-only"] if request.read_only else ["--allow-delete", "--allow-overwrite"]
    return Start(words + (["--allow-other"] if os.getuid() == 0 else []), s3.environment)


def _s3fs(request: Request, directory: Path) -> Start:
    s3 = _s3(request)
    _, bucket, prefix = split_uri(request.uri)
    options = ["max_stat_cache_size=0", f"endpoint={s3.region}"]
    if s3.endpoint:
        options += [f"url={s3.endpoint}", "use_path_request_style", "sigv4"]
    if s3.anonymous:
        options += ["public_bucket=1"]
    if request.read_only:
        options += ["ro"]
    if os.getuid() == 0:
        options += ["allow_other"]
    if _knows(["s3fs", "--help"], "-o compat_dir"):
        # Else only directories that it made itself are seen.
        options += ["compat_dir"]
    for ours, its in (
        ("AWS_ACCESS_KEY_ID", "AWSACCESSKEYID"),
        ("AWS_SECRET_ACCESS_KEY", "AWSSECRETACCESSKEY"),
    ):
        if not s3.anonymous and ours in s3.environment:
            s3.environment[its] = s3.environment[ours]
    source = f"{bucket}:/{prefix}" if prefix else bucket
    words = ["s3fs", source, request.target, "-f", "-o", ",".join(options)]
    return Start(words, s3.environment)


def _knows(words: Sequence[str], option: str) -> bool:
    """Whether a program's help names an option: one that does not know it would end."""
    done = subprocess.run(  # noqa: S603  words of our own
        words, capture_output=True, text=True, check=False, timeout=10
    )
    return re.search(rf"{re.escape(option)}\b", done.stdout) is not None


def _gcsfuse(request: Request, directory: Path) -> Start:
    _, bucket, prefix = split_uri(request.uri)
    words = ["gcsfuse", "--foreground", "--implicit-dirs"]
    words += ["--stat-cache-ttl", "0s", "--type-cache-ttl", "0s"]
    if prefix:
        words += ["--only-dir", prefix]
    if request.options.get("anonymous"):
        words += ["--anonymous-access"]
    if request.read_only:
        words += ["-o", "ro"]
    if os.getuid() == 0:
        words += ["-o", "allow_other"]
    return Start([*words, bucket, request.target], os.environ)


PROGRAMS: Mapping[str, Program] = {
    each.name: each
    for each in (
        Program("rclone", "rclone", ("s3", "gs"), "it knows both services", _rclone, in_order=True),
        Program("mountpoint-s3", "mount-s3", ("s3",), "it reads fast", _mountpoint_s3),
        Program("gcsfuse", "gcsfuse", ("gs",), "it is Google's own", _gcsfuse),
        Program("s3fs", "s3fs", ("s3",), "it changes files inside", _s3fs),
    )
}
"""In the order in which one is chosen where the built-in one cannot be used."""
