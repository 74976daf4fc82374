"""What a person needs around the files: the trash, usage, links, buckets."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from .panel import Panel


def test_a_deletion_says_how_much_and_is_undone(panel: Panel, shared: Path, page: Page):
    (shared / "folder").mkdir()
    (shared / "folder" / "a.bin").write_bytes(b"x" * 1_200_000)
    (shared / "folder" / "b.bin").write_bytes(b"x" * 300_000)
    panel.open_directory(f"shared:{shared.name}")
    panel.row("folder").click()
    page.keyboard.press("Delete")
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("2 files, 1.5 MB")
    expect(dialog).to_contain_text("can be brought back for 30 days")
    panel.dialog_button("Delete").click()
    expect(panel.row("folder")).to_have_count(0)
    toast = page.locator(".Toastify__toast").filter(has_text="“folder” is in the trash.")
    toast.get_by_role("button", name="Undo").click()
    expect(panel.row("folder")).to_be_visible()
    assert (shared / "folder" / "a.bin").stat().st_size == 1_200_000
    expect(page.locator(".Toastify__toast").filter(has_text="is back")).to_be_visible()
