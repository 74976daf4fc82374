"""The parts of one upload on their way into S3, several at once."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from jupyter_storage.errors import StorageError
from jupyter_storage.stores.checksums import Checksum, combined
from jupyter_storage.stores.cloud_errors import from_answer
from jupyter_storage.stores.pace import jittered
from jupyter_storage.stores.s3_checksums import encoded
from jupyter_storage.stores.s3_client import S3Client
from jupyter_storage.stores.s3_multipart import Upload
from jupyter_storage.stores.wire import Stop

__all__ = ["CRC", "IN_FLIGHT", "Part", "PartSender"]

IN_FLIGHT = 32 * 2**20  # bytes under way, unless one part is larger
TRIES = 5  # of one part
PAUSE = 0.2  # seconds before the second; doubles with each further one
SIGNED = 3600  # seconds for which the address of a part is good
CRC = "crc32c"  # what is sent of each part where the service takes it


class Part:
    """Some of a file's bytes on their way."""

    future: Future[None]

    def __init__(self, number: int, pieces: list[memoryview], size: int) -> None:
        self.number, self.pieces, self.size = number, pieces, size
        self.md5 = b""
        self.crc = b""
        self.etag = ""

    def sign(self, *, crc: bool) -> None:
        """Compute the MD5, and the CRC if it is wanted."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces:
            digest.update(piece)
        self.md5 = digest.digest()
        if crc:
            other = Checksum(CRC, b"").begin()
            for piece in self.pieces:
                other.update(piece)
            self.crc = other.digest()


class PartSender:
    """Sends the parts of an upload in threads, and each again if its error may pass.

    Parameters
    ----------
    client : S3Client
    key, object_key : str
        As callers know the file, and as the bucket does.
    upload : Upload
        What was sent of it before is not sent again.
    """

    def __init__(self, client: S3Client, key: str, object_key: str, upload: Upload) -> None:
        self._client, self._key, self._object_key = client, key, object_key
        self._upload = upload
        self._flying: deque[Part] = deque()
        self._sent: list[Part] = []
        self._senders: ThreadPoolExecutor | None = None
        self._stop, self._stopped = Stop(), threading.Event()

    @property
    def count(self) -> int:
        """Parts that were handed over."""
        return len(self._sent) + len(self._flying)

    def send(self, pieces: list[memoryview], size: int) -> None:
        """Take a part; waits while too much is under way."""
        if self._senders is None:
            self._senders = ThreadPoolExecutor(max(2, IN_FLIGHT // size), "jupyter-storage-part")
        part = Part(self.count + 1, pieces, size)
        part.future = self._senders.submit(self._deliver, part)
        self._flying.append(part)
        while sum(part.size for part in self._flying) > IN_FLIGHT and len(self._flying) > 1:
            self._settle()

    def finish(self) -> Sequence[Part]:
        """Wait until all have arrived, and give them."""
        while self._flying:
            self._settle()
        return self._sent

    def crc(self) -> bytes | None:
        """CRC of all that was sent; None where the service does not want it."""
        if not self._upload.takes_crc:
            return None
        start, ranges = 0, {}
        for part in self._sent:
            ranges[start] = (part.crc, part.size)
            start += part.size
        return combined(CRC, ranges)

    def stop(self) -> None:
        """Let what is under way fail soon."""
        self._stopped.set()
        self._stop.stop()

    def give_up(self) -> None:
        """Stop, and wait: a part that arrives after an abort would stay, and cost, unseen."""
        self.stop()
        wait([part.future for part in self._flying])
        self.dismiss()
        self._flying.clear()

    def dismiss(self) -> None:
        """End the threads."""
        if self._senders is not None:
            self._senders.shutdown()

    def _settle(self) -> None:
        self._flying[0].future.result()
        self._sent.append(self._flying.popleft())

    def _deliver(self, part: Part) -> None:
        """Send a part, and again if the error may pass; in a thread of its own."""
        part.sign(crc=self._upload.takes_crc)
        if self._upload.known.get(part.number) == part.md5.hex():
            part.etag = f'"{part.md5.hex()}"'
            part.pieces.clear()
            return
        pause = PAUSE
        for left in reversed(range(TRIES)):
            try:
                with self._client.pace.turn():
                    part.etag = self._put(part)
                break
            except StorageError as error:
                if not error.retryable or not left or not self._client.pace.may_retry():
                    raise
                if self._stopped.wait(jittered(pause)):
                    raise
                pause *= 2
        part.pieces.clear()

    def _put(self, part: Part) -> str:
        headers = {"Content-MD5": encoded(part.md5)}
        arguments = {
            "Key": self._object_key,
            "UploadId": self._upload.id,
            "PartNumber": part.number,
            "ContentMD5": encoded(part.md5),
        }
        if part.crc:
            headers[f"x-amz-checksum-{CRC}"] = encoded(part.crc)
            arguments[f"Checksum{CRC.upper()}"] = encoded(part.crc)
        wire = self._client.wire(self._key, self._object_key)
        if wire is None:
            body = b"".join(part.pieces)
            return str(self._client.call("upload_part", self._key, Body=body, **arguments)["ETag"])
        url = self._client.presign(self._key, "upload_part", SIGNED, **arguments)
        with self._client.errors(self._key):
            answer = wire.put(url, headers, part.pieces, self._stop)
        if answer.status != 200:
            raise from_answer(answer.status, answer.body, key=self._key)
        return str(answer.headers["ETag"])
