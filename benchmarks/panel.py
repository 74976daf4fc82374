"""The panel in Chromium with a folder of 100,000 files, and with a bucket of a million keys.

    python benchmarks/panel.py

Prints, of the folder: frames a second while the wheel turns and rows are loaded, and again when all
are there; the browser's memory and the elements of the page before and after. Of the bucket: how
long one request for 1,000 keys takes from the server's machine, and how long it takes from the
press of Enter until rows are seen, for the bucket and for a folder in it. The bucket is made up: a
small server answers as S3 does, each request after ``--latency`` milliseconds.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page, sync_playwright
from watching import MIB, print_heading, print_row

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.ui.conftest import ARGUMENTS, CHROMIUM
from tests.ui.panel import Panel
from tests.ui.server import TOKEN, Lab, running_lab

SCROLL = """
async ([seconds, down]) => {
  const rows = document.querySelector('#jp-storage-panel .jp-Storage-rows');
  const times = [];
  const end = performance.now() + seconds * 1000;
  await new Promise(resolve => {
    const frame = now => {
      times.push(now);
      // As fast as a wheel that somebody is in a hurry with: 3,000 pixels a second.
      rows.scrollTop += down * 50;
      now < end ? requestAnimationFrame(frame) : resolve();
    };
    requestAnimationFrame(frame);
  });
  return times;
}
"""
LOAD_ALL = """
async () => {
  const rows = document.querySelector('#jp-storage-panel .jp-Storage-rows');
  rows.scrollTop = rows.scrollHeight;
}
"""
# From a key that a person presses to the frame in which rows are painted.
WAIT_FOR_ROWS = """
() => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('No rows were seen')), 60000);
  addEventListener('keydown', () => {
    const began = performance.now();
    const look = () => {
      const row = document.querySelector('#jp-storage-panel .jp-Storage-item');
      const grid = document.querySelector('#jp-storage-panel [role=grid]');
      row && grid.getAttribute('aria-label').includes('million:')
        && row.textContent.includes(window.expectedRow)
        ? resolve(performance.now() - began) : requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, { once: true, capture: true });
})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--latency", type=float, default=50, help="ms of the bucket's answers")
    parser.add_argument("--seconds", type=float, default=10, help="of scrolling")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        TemporaryDirectory(prefix="panel-") as name,
        bucket(options.keys, options.latency / 1000) as endpoint,
        running_lab(
            Path(name, "lab"),
            variables={
                "JUPYTER_STORAGE_SNAPSHOTS": "false",
                "AWS_ACCESS_KEY_ID": "any",
                "AWS_SECRET_ACCESS_KEY": "any",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
        ) as lab,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        scroll(lab, chromium, options.rows, options.seconds)
        first_rows(lab, chromium, endpoint, options)
        chromium.close()


def scroll(lab: Lab, browser: Browser, count: int, seconds: float) -> None:
    folder = lab.tier("local") / "many"
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:07}.txt").touch()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    panel = Panel.open(page, lab.url)
    panel.open_directory("local:many")
    print_heading(f"{count:,} rows")
    print_row("", "frames a second", "slowest 1 %", "JS heap", "elements")
    print_row(*["---"] * 5)
    print_row("opened", "", "", *_size(page))
    _scrolled(page, "scrolling, rows are loaded", seconds, down=1)
    began = time.monotonic()
    status = panel.node.get_by_role("status").first
    while status.inner_text() != f"{count} items":
        page.evaluate(LOAD_ALL)
        page.wait_for_timeout(20)
        if time.monotonic() - began > 600:
            raise TimeoutError(status.inner_text())
    print_row(f"all loaded, after {time.monotonic() - began:.0f} s", "", "", *_size(page))
    for round_ in (1, 2, 3):
        _scrolled(page, f"scrolling, {round_}", seconds, down=-1 if round_ % 2 else 1)
    page.close()


def _scrolled(page: Page, title: str, seconds: float, *, down: int) -> None:
    times = cast("list[float]", page.evaluate(SCROLL, [seconds, down]))
    frames = [after - before for before, after in itertools.pairwise(times)]
    rate = 1000 * len(frames) / (times[-1] - times[0])
    slowest = statistics.quantiles(frames, n=100)[98]
    print_row(title, f"{rate:.0f}", f"{slowest:.0f} ms", *_size(page))


def _size(page: Page) -> tuple[str, str]:
    """What the page takes, after what nobody needs was thrown away."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    elements = page.evaluate("document.querySelectorAll('*').length")
    session.detach()
    return f"{heap / MIB:.0f} MiB", f"{elements:,}"


def first_rows(lab: Lab, browser: Browser, endpoint: str, options: argparse.Namespace) -> None:
    body = {"uri": "s3://million/", "options": {"endpoint_url": endpoint}}
    _add_tier(lab, body)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    panel = Panel.open(page, lab.url)
    panel.open_tier("local")
    one: list[float] = []
    found: dict[str, list[float]] = {"million:": [], "million:d7": []}
    for _ in range(options.rounds):
        one.append(_one_request(endpoint))
        panel.open_tier("local")
        panel.tier("million").locator(".jp-Storage-tierButton").focus()
        found["million:"].append(_seen(page, "d0"))
        panel.settle()
        panel.focus_rows()
        page.wait_for_timeout(1100)  # what is typed sooner belongs to the name of the last round
        page.keyboard.type("d7")
        found["million:d7"].append(_seen(page, "k0"))
        panel.settle()
    print_heading(f"{options.keys:,} keys, each request after {options.latency:.0f} ms")
    print_row("", "ms", "× one request")
    print_row("---", "---", "---")
    base = statistics.median(one)
    print_row("one request for 1,000 keys", f"{base * 1000:.0f}", "1.0")
    for path, seconds in found.items():
        middle = statistics.median(seconds)
        print_row(f"first rows of {path}", f"{middle * 1000:.0f}", f"{middle / base:.1f}")


def _seen(page: Page, row: str) -> float:
    """Press Enter; the seconds until such a row is painted."""
    page.evaluate("row => { window.expectedRow = row; }", row)
    page.evaluate(f"() => {{ window.rowsSeen = ({WAIT_FOR_ROWS})(); }}")
    page.keyboard.press("Enter")
    return cast("float", page.evaluate("window.rowsSeen")) / 1000


def _add_tier(lab: Lab, body: dict[str, object]) -> None:
    request = urllib.request.Request(
        f"{lab.url}/jupyter-storage/api/v1/tiers/million",
        json.dumps(body).encode(),
        {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request):
        pass


def _one_request(endpoint: str) -> float:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc)
    connection.connect()
    began = time.perf_counter()
    connection.request("GET", "/million?list-type=2&delimiter=%2F&prefix=d7%2F&max-keys=1000")
    connection.getresponse().read()
    return time.perf_counter() - began


@contextmanager
def bucket(keys: int, latency: float) -> Iterator[str]:
    """Serve a bucket of ten folders, and in each a tenth of the keys."""
    each = keys // 10

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(latency)
            query = {name: each[0] for name, each in parse_qs(urlsplit(self.path).query).items()}
            self._send(200, _listing(query, each))

        def do_HEAD(self) -> None:
            time.sleep(latency)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _listing(query: dict[str, str], each: int) -> bytes:
    prefix, most = query.get("prefix", ""), int(query.get("max-keys", 1000))
    after = query.get("continuation-token") or query.get("start-after", "")
    if "/" in prefix:
        folder = prefix.split("/")[0]
        begin = int(after.rpartition("k")[2]) + 1 if "k" in after else 0
        numbers = range(begin, min(begin + most, each))
        keys = [f"{folder}/k{number:09}" for number in numbers]
        more = begin + most < each
        inside = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{number:032x}&quot;</ETag><Size>{number}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for number, key in zip(numbers, keys, strict=True)
        )
    else:
        folders = [f"d{number}/" for number in range(10)]
        keys = [folder for folder in folders if folder.startswith(prefix) and folder > after]
        more = False
        inside = "".join(
            f"<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>" for key in keys[:most]
        )
    token = f"<NextContinuationToken>{keys[-1]}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>million</Name><Prefix>{prefix}</Prefix><KeyCount>{len(keys)}</KeyCount>"
        f"<MaxKeys>{most}</MaxKeys><Delimiter>/</Delimiter>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{inside}</ListBucketResult>"
    ).encode()


if __name__ == "__main__":
    main()
