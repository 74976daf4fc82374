"""The panel where a hub puts it: below a base URL."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from .panel import Panel
from .server import running_lab


def test_files_are_sent_opened_and_downloaded_below_a_base_url(own_page: Page, tmp_path: Path):
    (tmp_path / "sent.txt").write_text("sent")
    with running_lab(tmp_path / "lab", base_url="/user/ada") as lab:
        panel = Panel.open(own_page, lab.url)
        panel.open_tier("shared")
        with own_page.expect_file_chooser() as chooser:
            panel.tool("Upload files into this folder").click()
        chooser.value.set_files(tmp_path / "sent.txt")
        expect(panel.row("sent.txt")).to_be_visible()
        panel.row("sent.txt").dblclick()
        expect(own_page.locator(".jp-FileEditor:visible")).to_contain_text("sent")
        panel.row("sent.txt").click()
        with own_page.expect_download() as download:
            panel.tool("Download a file, or folders and selections as zip").click()
        target = tmp_path / download.value.suggested_filename
        download.value.save_as(target)
        assert target.read_text() == "sent"
        # Before the server, which the page would go on asking.
        own_page.close()
