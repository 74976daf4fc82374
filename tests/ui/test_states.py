"""States that are not well: a tier that is away, snapshots, a drop beside the targets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .panel import Panel
from .server import Lab, running_lab


@pytest.fixture(scope="module")
def away_lab(tmp_path_factory: pytest.TempPathFactory):
    """A server with a sixth tier, whose directory cannot be made: a file is in its way."""
    directory = tmp_path_factory.mktemp("away")
    (directory / "blocked").touch()
    tiers = json.dumps({"away": str(directory / "blocked" / "away")})
    with running_lab(directory / "lab", variables={"JUPYTER_STORAGE_TIERS": tiers}) as running:
        yield running, directory / "blocked"


def test_tier_that_is_away_says_why_and_a_retry_finds_it(
    own_page: Page, away_lab: tuple[Lab, Path]
):
    lab, blocked = away_lab
    panel = Panel.open(own_page, lab.url)
    away = panel.tier("away")
    expect(away).to_contain_text("Unreachable")
    expect(away.locator(".jp-Storage-tierReason p").first).not_to_be_empty()
    # The others are not held up.
    panel.open_tier("shared")
    expect(panel.tier("shared")).to_contain_text("free")
    blocked.unlink()
    (blocked / "away").mkdir(parents=True)
    away.get_by_role("button", name="Retry").click()
    expect(away).to_contain_text("free")
    panel.open_tier("away")


def test_snapshot_now_is_told_in_panel_and_status_bar(panel: Panel, lab: Lab, page: Page):
    (lab.project / "fresh.txt").write_text("x")
    panel.node.get_by_role("button", name="Snapshot Now").click()
    section = panel.node.locator(".jp-Storage-snapshots")
    expect(section).to_contain_text("Saved just now", timeout=30_000)
    expect(section).to_contain_text("file")
    expect(page.locator(".jp-Storage-statusItem")).to_contain_text("Saved")


def test_changes_in_the_project_are_saved_without_being_asked(panel: Panel, lab: Lab):
    section = panel.node.locator(".jp-Storage-snapshots")
    expect(section).to_contain_text("Saved", timeout=30_000)
    count = re.search(r"(\d+) files?", section.inner_text())
    assert count is not None
    (lab.project / "more.txt").write_text("x")
    expect(section).to_contain_text(f"{int(count[1]) + 1} files", timeout=30_000)


def test_drop_beside_the_targets_does_not_leave_jupyterlab(
    panel: Panel, tmp_path: Path, page: Page
):
    stray = tmp_path / "stray.txt"
    stray.write_text("x")
    box = panel.node.locator(".jp-Storage-snapshots").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(stray)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        point = {"x": box["x"] + 5, "y": box["y"] + 5}
        session.send("Input.dispatchDragEvent", {"type": kind, **point, "data": data})
    session.detach()
    page.wait_for_timeout(500)
    assert "/lab" in page.url
    expect(panel.node).to_be_visible()
