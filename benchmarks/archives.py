"""Zips of folders, from two servers' routes to a client: ours, and jupyter-archive's.

    pip install jupyter-archive
    python benchmarks/archives.py

One server has both, and both read the same files (by hard links). A client takes the zip and throws
it away; they take turns. Prints medians: from the request for the zip to its first byte, the speed
of the contents, how much the server's memory grew at most, and how soon it answered another client
(``GET /api/contents``) meanwhile. Then the same of a client that takes 4 MB/s; a zip opened by the
programs that are installed; and zips that were cut off anywhere, which none may take for whole.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from watching import MIB, Watch, median, print_heading, print_row, watched

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.ui.server import TOKEN, Lab, running_lab

HEADERS = {"Authorization": f"token {TOKEN}"}
PEER = ["jupyter_archive"] if find_spec("jupyter_archive") else []
SLOW = 4 * MIB  # bytes a second of a slow client
PROGRAMS = {
    "unzip": ["unzip", "-tqq"],
    "7z": ["7z", "t", "-bso0"],
    "bsdtar": ["bsdtar", "-xOf"],
}
"""Programs that look at the whole of a zip; what they print is thrown away."""


@dataclass
class Case:
    title: str
    folder: str
    size: int


@dataclass
class Download:
    first: float
    seconds: float
    watch: Watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000, help="small files of 10 KB")
    parser.add_argument("--size", type=int, default=4096, help="MiB of large files, 256 each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", type=float, default=15, help="seconds of a slow client")
    parser.add_argument("--cuts", type=int, default=100, help="places at which a zip is cut off")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="archives-") as name:
        directory = Path(name)
        with running_lab(
            directory / "lab", variables={"JUPYTER_STORAGE_SNAPSHOTS": "false"}, extensions=PEER
        ) as lab:
            work = Archives(lab)
            small = work.plant("small", options.files, 10_000)
            large = work.plant("large", max(1, options.size // 256), min(options.size, 256) * MIB)
            for case in (small, large):
                work.compare(case, options.rounds)
            work.slow(large, options.slow)
            work.open_and_cut(directory / "zips", options.cuts)


class Archives:
    """Folders on a tier and, by hard links, in the server's root directory; and their zips."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.tier = lab, lab.tier("local")
        self.ways: dict[str, Callable[[str], tuple[float, Iterator[bytes]]]] = {"ours": self.ours}
        if PEER:
            self.ways["jupyter-archive"] = self.theirs
        else:
            print("jupyter-archive is not installed, and left out.", file=sys.stderr)
        # The first zip of a server loads what all need.
        warm = self.plant("warm", 10, 1000)
        for way in self.ways:
            self._take(way, warm.folder)

    def plant(self, folder: str, count: int, size: int) -> Case:
        generator = random.Random(1)
        text = b"".join(b"%x " % generator.getrandbits(32) for _ in range(size // 16))
        for number in range(count):
            path = self.tier / folder / f"d{number % 50}" / f"{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            # Half of it compressible: what a project holds.
            path.write_bytes((generator.randbytes(size // 2) + text)[:size])
            twin = self.lab.project / folder / f"d{number % 50}" / f"{number}.bin"
            twin.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, twin)
        bytes_ = sum(path.stat().st_size for path in (self.tier / folder).rglob("*.bin"))
        return Case(f"{count:,} files, {bytes_ / 1e6:,.0f} MB", folder, bytes_)

    def compare(self, case: Case, rounds: int) -> None:
        print_heading(case.title)
        found: dict[str, list[Download]] = {way: [] for way in self.ways}
        for _ in range(rounds):
            for way, downloads in found.items():
                downloads.append(self._take(way, case.folder))
        print_row("", "first byte", "seconds", "MB/s", "memory at most", "others' p99")
        print_row(*["---"] * 6)
        for way, downloads in found.items():
            self._row(way, downloads, case.size)
        if len(found) == 2:
            ours, theirs = (
                median([each.seconds for each in downloads]) for downloads in found.values()
            )
            print(f"× {theirs / ours:.1f}", flush=True)

    def slow(self, case: Case, seconds: float) -> None:
        print_heading(f"{case.title}, {SLOW / 1e6:.0f} MB/s, the first {seconds:.0f} s")
        print_row("", "first byte", "seconds", "MB/s", "memory at most", "others' p99")
        print_row(*["---"] * 6)
        for way in self.ways:
            taken = self._take(way, case.folder, slow=seconds)
            self._row(way, [taken], int(taken.seconds * SLOW))

    def _row(self, way: str, downloads: list[Download], size: int) -> None:
        took = median([each.seconds for each in downloads])
        most = max((each.watch for each in downloads), key=lambda watch: watch.peak - watch.before)
        together = Watch(answers=[each for one in downloads for each in one.watch.answers])
        first = median([each.first for each in downloads])
        print_row(
            *(way, f"{first * 1000:.0f} ms", f"{took:.2f}", f"{size / took / 1e6:.0f}"),
            *(most.growth, together.p99),
        )

    def _take(self, way: str, folder: str, *, slow: float = 0) -> Download:
        contents = f"{self.lab.url}/api/contents?content=0"
        with watched(self.lab.process.pid, contents, HEADERS) as watch:
            began = time.perf_counter()
            first, pieces = self.ways[way](folder)
            taken = 0
            for piece in pieces:
                taken += len(piece)
                if slow:
                    time.sleep(max(0.0, began + taken / SLOW - time.perf_counter()))
                    if time.perf_counter() - began > slow:
                        break
            seconds = time.perf_counter() - began
        return Download(first - began, seconds, watch)

    def ours(self, folder: str) -> tuple[float, Iterator[bytes]]:
        asked = self._request("POST", "archive", {"paths": [f"local:{folder}"]})
        ticket = json.loads(asked.read())
        return self._stream(ticket["url"])

    def theirs(self, folder: str) -> tuple[float, Iterator[bytes]]:
        return self._stream(f"/directories/{folder}?archiveToken=1&token={TOKEN}")

    def _stream(self, path: str) -> tuple[float, Iterator[bytes]]:
        answer = self._open("GET", path)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.read()[:200]!r}")
        head = answer.read(1)
        return time.perf_counter(), _rest(head, answer)

    def _request(self, verb: str, route: str, body: object) -> http.client.HTTPResponse:
        return self._open(verb, f"/jupyter-storage/api/v1/{route}", json.dumps(body).encode())

    def _open(self, verb: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(urlsplit(self.lab.url).netloc)
        connection.request(verb, path, body, HEADERS)
        return connection.getresponse()

    def open_and_cut(self, directory: Path, count: int) -> None:
        case = self.plant("cut", 300, 30_000)
        print_heading(f"A zip of {case.title}, whole and cut off at {count} places")
        directory.mkdir()
        whole = directory / "whole.zip"
        whole.write_bytes(b"".join(self.ours(case.folder)[1]))
        size, chance = whole.stat().st_size, random.Random(2)
        places = [size - 1, size - 22, *(chance.randrange(size) for _ in range(count - 2))]
        programs: dict[str, Callable[[Path], bool]] = {"Python": _python_opens}
        for program, command in PROGRAMS.items():
            if shutil.which(program):
                programs[program] = lambda path, command=command: _opens(command, path)
        for program, opens in programs.items():
            taken = 0
            for place in places:
                cut = directory / "cut.zip"
                shutil.copyfile(whole, cut)
                os.truncate(cut, place)
                taken += opens(cut)
            verdict = "opens it" if opens(whole) else "DOES NOT OPEN IT"
            print(f"{program} {verdict}; takes {taken} cut ones for whole", flush=True)


def _rest(head: bytes, answer: http.client.HTTPResponse) -> Iterator[bytes]:
    yield head
    while piece := answer.read1(MIB):
        yield piece
    answer.close()


def _python_opens(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError):
        return False


def _opens(command: list[str], path: Path) -> bool:
    ran = subprocess.run([*command, path], capture_output=True, check=False)
    return ran.returncode == 0


if __name__ == "__main__":
    main()
