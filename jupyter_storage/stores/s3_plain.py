"""Who one is to S3, where the environment and AWS's files say so in plain words.

Where they leave it to somebody else (roles, single sign-on, programs, a machine's own identity),
or say anything that is not known here, nothing is guessed: botocore is asked, which takes half a
second of the processor to load.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Plain", "plain_identity"]

# What changes endpoints or credentials in ways that only botocore knows.
_TELLING = (
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_DEFAULTS_MODE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)
_ROLES = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_NAMED = frozenset({*_KEYS, "cli_pager", "endpoint_url", "output", "region"})
_REGION = re.compile(r"(?!cn-|us-iso)[a-z]{2}-[a-z]+-\d")


@dataclass(frozen=True, slots=True)
class Plain:
    """Endpoint, region and keys; without an access key nothing is signed."""

    endpoint: str
    region: str
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def plain_identity(
    *,
    endpoint: str,
    region: str,
    profile: str | None,
    keys: tuple[str, str, str] | None,
    anonymous: bool,
) -> Plain | None:
    """Say who one is; None where only botocore can.

    Parameters
    ----------
    endpoint, region : str
        As the options or the environment say; empty where they do not.
    profile : str or None
        That the options name: it comes before keys of the environment.
    keys : tuple of str, optional
        Access key, secret key and token that the options name.
    anonymous : bool
        Whether nothing is signed.
    """
    if any(os.environ.get(name) for name in _TELLING):
        return None
    said = _profile(profile)
    if said is None:
        return None
    endpoint = endpoint or said.get("endpoint_url", "")
    region = region or os.environ.get("AWS_DEFAULT_REGION") or said.get("region", "")
    if not endpoint:
        if not _REGION.fullmatch(region):
            return None
        endpoint = f"https://s3.{region}.amazonaws.com"
    region = region or "us-east-1"
    if anonymous:
        return Plain(endpoint, region)
    found = keys or _keys(profile, said)
    if found is None or not all(found[:2]):
        return None
    return Plain(endpoint, region, *found)


def _keys(profile: str | None, said: Mapping[str, str]) -> tuple[str, str, str] | None:
    environ = os.environ
    if profile is None and environ.get("AWS_ACCESS_KEY_ID"):
        token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN") or ""
        return environ["AWS_ACCESS_KEY_ID"], environ.get("AWS_SECRET_ACCESS_KEY", ""), token
    if any(environ.get(name) for name in _ROLES):
        return None
    access, secret, token = (said.get(name, "") for name in _KEYS)
    return access, secret, token


def _profile(named: str | None) -> dict[str, str] | None:
    """What AWS's files say in a profile; None where it takes more than to read it."""
    environ = os.environ
    name = named or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    titles = (name,) if name == "default" else ()
    config = _section("AWS_CONFIG_FILE", "config", (*titles, f"profile {name}"))
    secret = _section("AWS_SHARED_CREDENTIALS_FILE", "credentials", (name,))
    if config is None or secret is None or not _NAMED.issuperset({*config, *secret}):
        return None
    if not config and not secret and name != "default":
        return None  # botocore says that there is no such profile
    if secret.get(_KEYS[0]):
        # Keys come from one file, never from both.
        config = {name: config[name] for name in config if name not in _KEYS}
    return {**config, **secret}


def _section(variable: str, file: str, titles: Sequence[str]) -> dict[str, str] | None:
    """The section of a file; empty where there is none, None where it cannot be read."""
    try:
        path = Path(os.environ.get(variable) or f"~/.aws/{file}").expanduser()
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RuntimeError):
        return None
    import configparser

    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(text)
    except (configparser.Error, ValueError):
        return None
    if any('"' in section or "'" in section for section in parser.sections()):
        return None  # names are quoted as in a shell
    for title in titles:
        if parser.has_section(title):
            return dict(parser.items(title))
    return {}
