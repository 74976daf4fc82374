"""Signatures of requests to S3, version 4.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html has the algorithm.
botocore signs as well, and takes longer to load than most requests take.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit

__all__ = ["Signer"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_EMPTY = hashlib.sha256().hexdigest()


class Signer:
    """Signs with keys that do not change.

    Parameters
    ----------
    endpoint : str
    region : str
    access_key, secret_key, token : str
        Without an access key nothing is signed.
    """

    def __init__(
        self, endpoint: str, region: str, access_key: str, secret_key: str, token: str
    ) -> None:
        there = urlsplit(endpoint)
        self._base = f"{there.scheme}://{there.netloc}"
        self._host, self._root = there.netloc, there.path.rstrip("/")
        self._region, self._access_key, self._secret_key = region, access_key, secret_key
        self._token = token
        self._lock = threading.Lock()
        self._day, self._day_key = "", b""

    def signed(
        self,
        verb: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> tuple[str, dict[str, str]]:
        """Give the URL and the headers of a request.

        Parameters
        ----------
        verb : str
        path : str
            Bucket and key, as they are.
        query, headers : mapping
        body : bytes
        """
        target, asked = self._target(path), _query(query)
        # 'uploads' is sent alone, and signed as 'uploads='.
        sent_query = "&".join(part.removesuffix("=") for part in asked.split("&"))
        url = f"{self._base}{target}" + (f"?{sent_query}" if asked else "")
        if not self._access_key:
            return url, dict(headers)
        now = datetime.now(timezone.utc)
        digest = hashlib.sha256(body).hexdigest() if body else _EMPTY
        sent = {
            **headers,
            "x-amz-content-sha256": digest,
            "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
        }
        if self._token:
            sent["x-amz-security-token"] = self._token
        names, signature = self._signature(verb, target, asked, sent, digest=digest, now=now)
        sent["Authorization"] = (
            f"{_ALGORITHM} Credential={self._access_key}/{self._scope(now)}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return url, sent

    def address(
        self,
        verb: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        expires: int,
    ) -> str:
        """Give a URL that carries its own permission for a request with these headers."""
        now = datetime.now(timezone.utc)
        target = self._target(path)
        if not self._access_key:
            return f"{self._base}{target}?{_query(query)}"
        names = ";".join(sorted(["host", *map(str.lower, headers)]))
        asked = {
            **query,
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self._access_key}/{self._scope(now)}",
            "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": names,
        }
        if self._token:
            asked["X-Amz-Security-Token"] = self._token
        text = _query(asked)
        _, signature = self._signature(verb, target, text, headers, digest=_UNSIGNED, now=now)
        return f"{self._base}{target}?{text}&X-Amz-Signature={signature}"

    def _target(self, path: str) -> str:
        return self._root + quote(f"/{path}", safe="/-_.~")

    def _scope(self, now: datetime) -> str:
        return f"{now:%Y%m%d}/{self._region}/s3/aws4_request"

    def _signature(
        self,
        verb: str,
        target: str,
        query: str,
        headers: Mapping[str, str],
        *,
        digest: str,
        now: datetime,
    ) -> tuple[str, str]:
        """Give the names of what is signed, and the signature."""
        lines = {name.lower(): value.strip() for name, value in headers.items()}
        lines["host"] = self._host
        names = sorted(lines)
        together = ";".join(names)
        said = "".join(f"{name}:{lines[name]}\n" for name in names)
        request = f"{verb}\n{target}\n{query}\n{said}\n{together}\n{digest}"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{now:%Y%m%dT%H%M%SZ}\n{self._scope(now)}\n{hashed}"
        return together, _hmac(self._key(f"{now:%Y%m%d}"), text).hex()

    def _key(self, day: str) -> bytes:
        with self._lock:
            if self._day != day:
                key = f"AWS4{self._secret_key}".encode()
                for step in (day, self._region, "s3", "aws4_request"):
                    key = _hmac(key, step)
                self._day, self._day_key = day, key
            return self._day_key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _query(query: Mapping[str, str]) -> str:
    parts = sorted((quote(name, safe="-_.~"), quote(query[name], safe="-_.~")) for name in query)
    return "&".join(f"{name}={value}" for name, value in parts)
