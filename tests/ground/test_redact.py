from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_storage.redact import RedactingFilter, redact

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{SECRET}@host/path",
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={SECRET}&x=1",
        f"https://b/k?a=1&X-Amz-Security-Token={SECRET}",
        f"GET /lab?token={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'token {SECRET}'}}",
        f"aws_secret_access_key = {SECRET}",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f'{{"password": "{SECRET}"}}',
        f"RESTIC_PASSWORD={SECRET}",
        f"AccountKey={SECRET}",
        f"https://storage.googleapis.com/b/k?X-Goog-Signature={SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"Cookie: _xsrf=2|{SECRET}; a=b",
        f"ya29.{SECRET}",
    ],
)
def test_no_secret_survives(text):
    clean = redact(text)
    assert SECRET not in clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/key: No such file",
        "The token is expired",
        "RESTIC_PASSWORD_FILE",
        "a file called secret.txt",
        "https://host:9000/path?list-type=2",
    ],
)
def test_plain_text_stays(text):
    assert redact(text) == text


def test_an_access_key_identifier_is_masked():
    assert "AKIAIOSFODNN7EXAMPLE" not in redact("key AKIAIOSFODNN7EXAMPLE is unknown")


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text):
    assert redact(redact(text)) == redact(text)


def test_log_records_are_redacted(caplog):
    logger = logging.getLogger("redact-test")
    logger.addFilter(RedactingFilter())
    logger.warning("cannot open https://u:%s@host", SECRET)
    assert SECRET not in caplog.text
    assert "host" in caplog.text
