"""What a person is told when the project directory is not as safe as usual."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .panel import Panel
from .server import REPOSITORY, TOKEN, Lab, running_lab

AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def status_when(lab: Lab, condition, seconds: float = 90) -> dict:
    request = urllib.request.Request(
        f"{lab.url}/jupyter-storage/api/v1/snapshots/status",
        headers={"Authorization": f"token {TOKEN}"},
    )
    deadline = time.monotonic() + seconds
    while True:
        with urllib.request.urlopen(request, timeout=20) as response:
            status = json.load(response)
        if condition(status):
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.2)


def save(lab: Lab, name: str, content: str) -> dict:
    """Write a file, and wait until a snapshot that was begun afterwards is there."""
    before = status_when(lab, lambda status: status["state"] == "ok" and status["last"])["last"]
    (lab.project / name).write_text(content)
    return status_when(
        lab, lambda status: status["state"] == "ok" and status["last"]["id"] != before["id"]
    )


@pytest.mark.slow
def test_a_fork_is_told_compared_and_taken_over(own_page: Page, tmp_path: Path):
    page = own_page
    common = {
        "JUPYTER_STORAGE_ROOT": str(tmp_path / "tiers"),
        "JUPYTER_STORAGE_WORKLOAD_ID": "two-machines",
        "JUPYTER_STORAGE_SNAPSHOT_INTERVAL": "0.5",
    }
    with running_lab(tmp_path / "one", variables=common) as one:
        status_when(one, lambda status: status["state"] == "ok")
        save(one, "both.txt", "the same")
        with running_lab(tmp_path / "two", variables=common) as two:
            assert status_when(two, lambda status: status["fork"])["holder"]
            save(two, "second.txt", "of the second")
            save(one, "first.txt", "of the first")
            Panel.open(page, two.url)
            banner = page.get_by_role("region", name="Two machines in this workspace")
            expect(banner.get_by_role("alert")).to_contain_text(
                "What you do here is saved in a fork"
            )
            expect(page.locator(".jp-Storage-statusItem")).to_contain_text("Saved to a fork")
            page.add_script_tag(path=AXE)
            found = page.evaluate("axe.run('.jp-Storage-fork', {resultTypes: ['violations']})")
            assert found["violations"] == []
            banner.get_by_role("button", name="Compare").focus()
            page.keyboard.press("Enter")
            expect(banner).to_contain_text("1 only here (+), 1 only there (−), 0 different (•)")
            expect(banner).to_contain_text("second.txt")
            expect(banner.get_by_role("button", name="first.txt, only there")).to_be_visible()
            for width in (100, 600, 250):
                _widen(page, width)
                node = page.locator(".jp-Storage-fork")
                assert node.evaluate("node => node.scrollWidth <= node.clientWidth"), width
                expect(banner.get_by_role("button", name="Take Over…")).to_be_in_viewport(ratio=1)
                _pictures(page, width)
            banner.get_by_role("button", name="Compare").focus()
            page.keyboard.press("Tab")
            expect(banner.get_by_role("button", name="Take Over…")).to_be_focused()
            page.keyboard.press("Enter")
            dialog = page.locator(".jp-Dialog")
            expect(dialog).to_contain_text("goes on as a fork")
            expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
            dialog.get_by_role("button", name="Take Over").click()
            expect(page.locator(".Toastify")).to_contain_text("This machine holds the workspace")
            expect(banner).to_have_count(0)
            assert status_when(two, lambda status: True)["fork"] is None
            # The first one finds out with its next snapshot, and keeps what it has.
            assert save(one, "first.txt", "goes on")["fork"]
            page.reload()
            expect(banner.get_by_role("status")).to_contain_text("saves to a fork", timeout=60_000)
            expect(banner.get_by_role("button", name="Take Over…")).to_have_count(0)
            banner.get_by_role("button", name="Compare").click()
            expect(banner).to_contain_text("1 only here (+), 1 only there (−), 0 different (•)")
            page.goto("about:blank")


def _widen(page: Page, width: int) -> None:
    """Drag the edge of the sidebar."""
    edge = page.locator("#jp-storage-panel").bounding_box()
    x, y = edge["x"] + edge["width"], edge["y"] + 300
    page.mouse.move(x + 2, y)
    page.mouse.down()
    page.mouse.move(edge["x"] + width, y, steps=4)
    page.mouse.up()


def _pictures(page: Page, width: int) -> None:
    """For people who want to look: where ``PICTURES`` names a directory."""
    directory = os.environ.get("PICTURES")
    if not directory:
        return
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        page.wait_for_timeout(500)
        page.screenshot(path=f"{directory}/fork-{theme[-5:].strip().lower()}-{width}.png")


def test_a_minute_without_a_durable_snapshot_is_told_until_one_is_there(
    own_page: Page, tmp_path: Path, complaints: list[str]
):
    page = own_page
    bucket = tmp_path / "bucket"
    variables = {
        "JUPYTER_STORAGE_BUCKET": bucket.as_uri(),
        "JUPYTER_STORAGE_SNAPSHOT_INTERVAL": "0.5",
    }
    with running_lab(tmp_path / "lab", variables=variables) as lab:
        save(lab, "a.txt", "safe")
        # Only the minute is not a real one.
        page.clock.install()
        Panel.open(page, lab.url)
        expect(page.locator(".jp-Storage-statusItem")).to_contain_text("Saved")
        bucket.rename(tmp_path / "gone")
        bucket.write_text("no directory any more")
        (lab.project / "a.txt").write_text("not safe")
        expect(page.locator(".jp-Storage-statusItem")).to_contain_text("Snapshot problem")
        toast = page.locator(".Toastify__toast").filter(has_text="Nothing could be saved")
        expect(toast).to_have_count(0)
        page.clock.fast_forward(61_000)
        expect(toast).to_be_visible()
        expect(toast).to_contain_text("Part of the path is a file, not a directory")
        toast.get_by_role("button", name="Show Storage").click()
        expect(page.locator(".jp-Storage-snapshots")).to_contain_text("Name the directory")
        bucket.unlink()
        (tmp_path / "gone").rename(bucket)
        status_when(lab, lambda status: status["state"] == "ok")
        expect(toast).to_have_count(0)
        expect(page.locator(".jp-Storage-statusItem")).to_contain_text("Saved")
        page.goto("about:blank")
    # Of the requests that found no store.
    complaints.clear()
