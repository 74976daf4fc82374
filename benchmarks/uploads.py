"""Uploads from Chromium: through the panel, and through JupyterLab's own file browser.

    python benchmarks/uploads.py

Both in one browser and one server, in turns. The time is from the choice of the files until the
server has all of their bytes. Prints medians; how much the server's memory grew at most, and how
soon it answered another client (``GET /api/contents``) meanwhile. Then one upload whose connection
is cut off again and again, with a reload between. JupyterLab's own gets fewer of the small files
(``--own-files``), and its time is scaled.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from watching import MIB, Watch, median, print_heading, print_row, until, watched

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.ui.conftest import ARGUMENTS, CHROMIUM
from tests.ui.panel import Panel
from tests.ui.proxy import cutting_proxy
from tests.ui.server import TOKEN, Lab, running_lab

# The moment at which the browser tells the page which files were chosen.
NOTE_CHOICE = """
const click = HTMLInputElement.prototype.click;
HTMLInputElement.prototype.click = function () {
  this.addEventListener('change', () => { window.chosenAt = Date.now(); }, { capture: true });
  return click.call(this);
};
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=500, help="MB of the large file")
    parser.add_argument("--files", type=int, default=5000, help="small files of 10 KB")
    parser.add_argument("--own-files", type=int, default=500, help="of them, for JupyterLab's own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="large,small,cuts")
    parser.add_argument("--cuts", type=int, default=200, help="of the connection")
    options = parser.parse_args()
    with (
        TemporaryDirectory(prefix="uploads-") as name,
        running_lab(Path(name, "lab"), variables={"JUPYTER_STORAGE_SNAPSHOTS": "false"}) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        work = Uploads(lab, browser, Path(name, "files"))
        if "large" in options.parts:
            work.large(options.size, options.rounds)
        if "small" in options.parts:
            work.small(options.files, options.own_files, options.rounds)
        if "cuts" in options.parts:
            work.cut_off(options.cuts)
        browser.close()


class Uploads:
    """The files, and the two ways by which they go to the server."""

    def __init__(self, lab: Lab, browser: Browser, files: Path) -> None:
        self.lab, self.browser, self.files = lab, browser, files
        self.done = files.with_name("done")
        self.done.mkdir()
        self.page = self._window()
        self.panel = Panel.open(self.page, lab.url)
        self.panel.open_tier("local")
        self.target = lab.tier("local")
        # The first upload of a server loads what all need.
        warm = self._plant("warm", 1, 20 * MIB)
        self.ours(warm)
        self.own(warm)

    def large(self, megabytes: int, rounds: int) -> None:
        print_heading(f"One file of {megabytes} MB")
        paths = self._plant("large", 1, megabytes * 1_000_000)
        self._compare(paths, paths, rounds)

    def small(self, count: int, own_count: int, rounds: int) -> None:
        print_heading(f"{count:,} files of 10 KB (JupyterLab's own: {own_count:,}, scaled)")
        paths = self._plant("small", count, 10_000)
        self._compare(paths, paths[:own_count], rounds)

    def _compare(self, paths: list[Path], own_paths: list[Path], rounds: int) -> None:
        ways: dict[str, tuple[Callable[[list[Path]], tuple[float, Watch]], list[Path]]] = {
            "the panel": (self.ours, paths),
            "JupyterLab's own": (self.own, own_paths),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        watches: dict[str, list[Watch]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, (upload, chosen) in ways.items():
                took, watch = upload(chosen)
                seconds[way].append(took * len(paths) / len(chosen))
                watches[way].append(watch)
        size = sum(path.stat().st_size for path in paths)
        print_row("", "seconds", "MB/s", "memory at most", "others' p99")
        print_row(*["---"] * 5)
        for way, took in seconds.items():
            most = max(watches[way], key=lambda watch: watch.peak - watch.before)
            together = Watch(answers=[each for watch in watches[way] for each in watch.answers])
            speed = size / median(took) / 1e6
            print_row(way, f"{median(took):.2f}", f"{speed:.0f}", most.growth, together.p99)
        ratio = median(seconds["JupyterLab's own"]) / median(seconds["the panel"])
        print(f"× {ratio:.1f}", flush=True)

    def ours(self, paths: list[Path]) -> tuple[float, Watch]:
        button = self.panel.tool("Upload files into this folder")
        return self._upload(button, paths, self.target)

    def own(self, paths: list[Path]) -> tuple[float, Watch]:
        self.page.evaluate("window.jupyterapp.commands.execute('filebrowser:activate')")
        browser = self.page.locator("#filebrowser")
        try:
            return self._upload(
                browser.get_by_role("button", name="Upload Files"), paths, self.lab.project
            )
        finally:
            self.panel.show()

    def _upload(self, button: Locator, paths: list[Path], target: Path) -> tuple[float, Watch]:
        expected = sum(path.stat().st_size for path in paths)
        contents = f"{self.lab.url}/api/contents?content=0"
        headers = {"Authorization": f"token {TOKEN}"}
        with watched(self.lab.process.pid, contents, headers) as watch:
            with self.page.expect_file_chooser() as chooser:
                button.click()
            chooser.value.set_files(paths, timeout=120_000)
            if expected > 15 * MIB and len(paths) == 1 and target == self.lab.project:
                # JupyterLab asks about what is large; a person's time does not count.
                self.page.locator(".jp-Dialog").get_by_role("button", name="Upload").click()
                self.page.evaluate("window.chosenAt = Date.now()")
            until(lambda: _arrived(target, paths, expected), 600, "the upload")
            ended = time.time()
        # Nothing is deleted: for minutes ext4 looks at each deleted inode before it makes another.
        done = Path(mkdtemp(dir=self.done))
        for path in paths:
            if not filecmp.cmp(path, target / path.name, shallow=False):
                raise RuntimeError(f"{path.name} arrived with other bytes")
            (target / path.name).rename(done / path.name)
        return ended - self.page.evaluate("window.chosenAt") / 1000, watch

    def cut_off(self, count: int) -> None:
        print_heading(f"{count} cuts of the connection, and a reload")
        chance = random.Random(1)
        cuts = [chance.randrange(1, 2 * MIB) for _ in range(count)]
        [path] = self._plant("cut", 1, sum(cuts))
        page = self._window()
        page.on("dialog", lambda dialog: dialog.accept())
        began = time.monotonic()
        with cutting_proxy(self.lab.port) as proxy:
            panel = Panel.open(page, proxy.url)
            panel.open_tier("local")
            proxy.cuts = cuts
            _choose(panel, panel.tool("Upload files into this folder"), path)
            bar = panel.transfer(path.name).get_by_role("progressbar")
            expect(bar).not_to_have_attribute("aria-valuenow", "0", timeout=60_000)
            until(lambda: bool(page.wait_for_timeout(50)) or len(cuts) <= count / 2, 600, "cuts")
            page.reload()
            unfinished = panel.transfer(path.name)
            expect(unfinished).to_contain_text("have arrived", timeout=60_000)
            _choose(panel, unfinished.get_by_role("button", name="Go On…"), path)
            expect(panel.transfer(path.name)).to_contain_text("Done", timeout=600_000)
            cut = proxy.cut_count
            page.close()
        same = filecmp.cmp(path, self.target / path.name, shallow=False)
        seconds, megabytes = time.monotonic() - began, path.stat().st_size / 1e6
        verdict = "the same bytes" if same else "OTHER BYTES"
        print(f"{cut} cuts, {megabytes:.0f} MB, {seconds:.0f} s: {verdict}")

    def _window(self) -> Page:
        page = self.browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(NOTE_CHOICE)
        # Where files go while JupyterLab's own file browser lists them.
        gone = page.locator(".jp-Dialog").filter(has_text="Directory not found")
        page.add_locator_handler(gone, lambda: page.keyboard.press("Escape"))
        return page

    def _plant(self, name: str, count: int, size: int) -> list[Path]:
        directory = self.files / name
        directory.mkdir(parents=True)
        paths = [directory / f"{name}-{number}.bin" for number in range(count)]
        for path in paths:
            path.write_bytes(os.urandom(size))
        return paths


def _arrived(target: Path, paths: list[Path], expected: int) -> bool:
    # Looked at all the time, on a machine that has two cores for all: sizes come last.
    if len(os.listdir(target)) < len(paths):
        return False
    names = {path.name for path in paths}
    with os.scandir(target) as entries:
        sizes = [entry.stat().st_size for entry in entries if entry.name in names]
    return len(sizes) == len(paths) and sum(sizes) == expected


def _choose(panel: Panel, button: Locator, path: Path) -> None:
    with panel.page.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files(path)


if __name__ == "__main__":
    main()
