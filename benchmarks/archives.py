"""Speed of a folder's zip: ours (stored, streamed) and a deflated one, in one run.

The deflated one is what Jupyter extensions commonly do: ``zipfile`` with ZIP_DEFLATED, file by
file. Prints MB/s of content, the median of three, interleaved.

    python benchmarks/archives.py
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from jupyter_storage.archives import Archive
from jupyter_storage.stores.local import LocalStore

CASES = {"8 files, 256 MiB": (8, 32 * 2**20), "5,000 files of 10 KB": (5000, 10_000)}


class Discard:
    """Counts what is written, and cannot seek."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


def plant(root: Path, count: int, size: int) -> None:
    """Half random bytes, half text: what a project holds."""
    generator = random.Random(1)
    words = [b"%x " % generator.getrandbits(32) for _ in range(1000)]
    text = b"".join(generator.choices(words, k=size // 16))
    for number in range(count):
        path = root / f"d{number % 50}" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((generator.randbytes(size // 2) + text)[:size])


def ours(root: Path) -> int:
    archive = Archive([(LocalStore(root), "", "data")], "data.zip")
    archive.plan()
    return sum(len(piece) for piece in archive)


def deflated(root: Path) -> int:
    target = Discard()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root))
    return target.size


def main() -> None:
    ways: dict[str, Callable[[Path], int]] = {"stored, ours": ours, "deflated": deflated}
    for case, (count, size) in CASES.items():
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            plant(root, count, size)
            content = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            sizes: dict[str, int] = {}
            for _ in range(3):
                for way, work in ways.items():
                    began = time.perf_counter()
                    sizes[way] = work(root)
                    seconds[way].append(time.perf_counter() - began)
            for way, times in seconds.items():
                speed = content / statistics.median(times) / 1e6
                print(f"{case:22} {way:13} {speed:7.0f} MB/s   {sizes[way] / 1e6:6.0f} MB sent")


if __name__ == "__main__":
    main()
