"""The only scrubber of secrets: every text that leaves the process passes through here."""

from __future__ import annotations

import logging
import re

__all__ = ["RedactingFilter", "redact"]

MASK = "***"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # URI user information: scheme://user:password@host
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s:@'\"]+:[^/\s@'\"]+@"), rf"\1{MASK}@"),
    # Presigned URLs and any other query that carries a credential
    (
        re.compile(
            r"(?i)([?&;](?:x-amz-[a-z-]+|x-goog-[a-z-]+|awsaccesskeyid|googleaccessid|signature|sig"
            r"|token|access_token|_xsrf|policy|key-pair-id|password|secret)=)[^&\s\"'<>]+"
        ),
        rf"\1{MASK}",
    ),
    # Headers
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization|x-amz-security-token|x-xsrftoken|cookie|set-cookie)"
            r"(['\"]?\s*[:=]\s*['\"]?)(?:(?:bearer|basic|token|aws4-hmac-sha256)\s+)?[^\r\n'\"]+"
        ),
        rf"\1\2{MASK}",
    ),
    # Assignments: aws_secret_access_key = …, "password": "…", RESTIC_PASSWORD=…
    (
        re.compile(
            r"(?i)((?:[a-z0-9_.-]*(?:secret|password|passwd|token|api_?key|account_?key|private_?key)"
            r"(?:_?access_?key)?)['\"]?\s*[:=]\s*['\"]?)(?!['\"\s])[^\s'\",;&}{\]\[]+"
        ),
        rf"\1{MASK}",
    ),
    # AWS access key identifiers
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b"), MASK),
    # Google OAuth tokens
    (re.compile(r"\bya29\.[A-Za-z0-9._-]+"), MASK),
    # PEM blocks
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.S),
        MASK,
    ),
)


def redact(text: str) -> str:
    """Mask whatever looks like a credential.

    Parameters
    ----------
    text : str
        An error, a log line, a URL.

    Returns
    -------
    str
        The same with secrets replaced by ``***``. Applying it twice changes nothing more.
    """
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFilter(logging.Filter):
    """A logging filter that redacts the finished message of each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact one record in place; it is never dropped."""
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True
