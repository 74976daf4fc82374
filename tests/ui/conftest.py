"""One server and one browser for all UI tests; a fresh page, and tiers' folders, for each."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

from .panel import Panel  # noqa: E402
from .server import Lab, running_lab  # noqa: E402

# A page on a busy machine takes its time, and whoever is quick does not wait.
sync_api.expect.set_options(timeout=20_000)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
]
FAILED = pytest.StashKey[bool]()
# What JupyterLab itself complains of when a notebook is closed while its kernel starts.
NOISE = ("Could not restore the debugger state", "Canceled future")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("ui")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


# Of the package, not the session: while it runs, no other event loop can.
@pytest.fixture(scope="package")
def browser() -> Iterator[sync_api.Browser]:
    """Chromium: the machine's own, else Playwright's."""
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Window:
    """A page, opened when it is first needed; what it complains of in the console is kept."""

    def __init__(self, browser: sync_api.Browser) -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(
            viewport={"width": 1280, "height": 900},
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        self.panel: Panel | None = None
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("console", self._on_console)

    def _on_console(self, message: sync_api.ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(NOISE):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture(scope="package")
def windows(browser: sync_api.Browser) -> Iterator[list[Window]]:
    """The window that tests share as long as none of them fails: loading takes seconds."""
    kept: list[Window] = []
    yield kept
    for window in kept:
        window.context.close()


@pytest.fixture
def window(
    browser: sync_api.Browser, windows: list[Window], request: pytest.FixtureRequest
) -> Iterator[Window]:
    """A window without anything open. At the end, nothing may have been complained of."""
    if not windows:
        windows.append(Window(browser))
    window = windows[0]
    request.node.stash[FAILED] = False
    yield window
    complaints = list(window.complaints)
    window.complaints.clear()
    if complaints or request.node.stash[FAILED]:
        windows.remove(window)
        window.context.close()
    assert complaints == []


@pytest.fixture
def page(window: Window) -> sync_api.Page:
    """The page of the window."""
    return window.page


@pytest.fixture
def complaints(request: pytest.FixtureRequest) -> list[str]:
    """What the page complains of in the console; a test that provokes some clears it."""
    name = "own_window" if "own_page" in request.fixturenames else "window"
    complaints: list[str] = request.getfixturevalue(name).complaints
    return complaints


@pytest.fixture
def own_window(browser: sync_api.Browser, lab: Lab) -> Iterator[Window]:
    """A window for one test."""
    lab.discard_uploads()
    window = Window(browser)
    yield window
    window.context.close()
    assert window.complaints == []


@pytest.fixture
def own_page(own_window: Window) -> sync_api.Page:
    """The page of a window for one test."""
    return own_window.page


@pytest.fixture
def panel(window: Window, lab: Lab, folders: list[Path], request: pytest.FixtureRequest) -> Panel:
    """The panel, opened, with nothing else open, and without the folders of earlier tests."""
    if window.panel is None:
        window.panel = Panel.open(window.page, lab.url)
    lab.discard_uploads()
    window.panel.clear()
    for folder in [folder for folder in folders if folder.name != request.node.name]:
        shutil.rmtree(folder)
        folders.remove(folder)
    return window.panel


@pytest.fixture(scope="package")
def folders() -> list[Path]:
    """Folders that tests have made, to be removed once no page shows them any more."""
    return []


@pytest.fixture
def shared(lab: Lab, folders: list[Path], request: pytest.FixtureRequest) -> Path:
    """A folder of this test on the tier 'shared'; its name is the test's."""
    return _folder(lab.tier("shared"), folders, request)


@pytest.fixture
def user(lab: Lab, folders: list[Path], request: pytest.FixtureRequest) -> Path:
    """The same on the tier 'user'."""
    return _folder(lab.tier("user"), folders, request)


def _folder(tier: Path, folders: list[Path], request: pytest.FixtureRequest) -> Path:
    folder = tier / request.node.name
    if folder in folders:
        # Of the same test, which is run once more.
        shutil.rmtree(folder)
        folders.remove(folder)
    folder.mkdir(parents=True)
    folders.append(folder)
    return folder
