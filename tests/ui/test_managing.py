"""What a person needs around the files: the trash, usage, links, buckets."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Page, expect
from servers import make_s3_bucket

from .panel import Panel
from .test_browsing import AXE


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


def test_what_fills_a_tier_is_counted_cleaned_up_and_brought_back(
    panel: Panel, user: Path, page: Page
):
    for name, size in (("small", 10), ("huge", 90_000), ("large", 50_000)):
        (user / name).write_bytes(b"x" * size)
    panel.tier("user").hover()
    panel.node.get_by_role("button", name="Usage of user").click()
    view = page.locator(".jp-Storage-usage")
    expect(view).to_contain_text("counted")
    rows = view.locator(".jp-Storage-usageList li")
    expect(rows.first).to_contain_text(f"user:{user.name}/huge")
    view.get_by_role("checkbox", name=f"user:{user.name}/huge").check()
    expect(view).to_contain_text("1 file, 90 kB")
    view.get_by_role("button", name="Delete…").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("can be brought back")
    panel.dialog_button("Delete").click()
    expect(rows.first).to_contain_text(f"user:{user.name}/large")
    assert not (user / "huge").exists()
    view.get_by_role("button", name="Trash (1)").click()
    expect(view).to_contain_text("1 deletion, 90 kB")
    view.get_by_role("button", name=f"Restore user:{user.name}/huge").click()
    expect(view).to_contain_text("The trash is empty.")
    assert (user / "huge").exists()


def test_axe_finds_nothing_in_usage_and_the_form(panel: Panel, user: Path, page: Page):
    (user / "a.txt").write_text("x")
    page.evaluate("window.jupyterapp.commands.execute('storage:usage', {tier: 'user'})")
    expect(page.locator(".jp-Storage-usageList li").first).to_be_visible()
    page.add_script_tag(path=AXE)
    for selector in (".jp-Storage-usage", ".jp-Storage-form"):
        if selector == ".jp-Storage-form":
            panel.node.get_by_role("button", name="Add a Bucket…").first.click()
            expect(page.locator(selector)).to_be_visible()
        result = page.evaluate(
            "selector => axe.run(selector, {resultTypes: ['violations']})", selector
        )
        found = [
            f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
        assert found == []
    page.keyboard.press("Escape")


def test_a_bucket_is_added_without_a_restart_and_removed(
    panel: Panel, page: Page, moto_endpoint: str
):
    bucket = f"team-{uuid4().hex[:8]}"
    make_s3_bucket(moto_endpoint, bucket)
    panel.node.get_by_role("button", name="Add a Bucket…").first.click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_label("Address").fill(f"s3://{bucket}/sets")
    dialog.get_by_label("Name of the tier").fill("team")
    dialog.get_by_label("Endpoint").fill(moto_endpoint)
    dialog.get_by_label("Credentials").select_option("profile")
    dialog.get_by_role("textbox", name="Profile").fill("nobody")
    dialog.get_by_role("button", name="Test the Connection").click()
    expect(dialog.get_by_role("status")).to_contain_text("nobody")
    dialog.get_by_label("Credentials").select_option("anonymous")
    dialog.get_by_role("button", name="Test the Connection").click()
    expect(dialog.get_by_role("status")).to_have_text("It can be reached and listed.")
    panel.dialog_button("Add").click()
    expect(panel.grid).to_have_attribute("aria-label", "Files in team:")
    panel.tier("team").click(button="right")
    page.get_by_role("menuitem", name="Remove from the List…").click()
    expect(dialog).to_contain_text("stays there")
    panel.dialog_button("Remove").click()
    expect(panel.tier("team")).to_have_count(0)


def test_a_link_to_a_file_without_a_bucket_says_why_not(
    panel: Panel, shared: Path, page: Page, complaints: list[str]
):
    (shared / "a.txt").write_text("x")
    panel.open_directory(f"shared:{shared.name}")
    panel.menu(panel.row("a.txt"), "Share a Link…")
    expect(page.locator(".jp-Dialog")).to_contain_text("without credentials")
    panel.dialog_button("Copy Link").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("no links that work without credentials")
    page.keyboard.press("Escape")
    complaints.clear()


def test_a_secret_is_not_copied_to_everybody_without_a_word(
    panel: Panel, user: Path, shared: Path, page: Page
):
    (user / "id_rsa").write_text("x")
    panel.open_directory(f"user:{user.name}")
    panel.row("id_rsa").click()
    page.keyboard.press("ControlOrMeta+c")
    panel.open_directory(f"shared:{shared.name}")
    panel.focus_rows()
    page.keyboard.press("ControlOrMeta+v")
    expect(page.locator(".jp-Dialog")).to_contain_text("looks like a secret")
    panel.dialog_button("Cancel").click()
    assert list(shared.iterdir()) == []


def test_a_terminal_opens_in_the_folder(panel: Panel, shared: Path, page: Page):
    panel.open_directory(f"shared:{shared.name}")
    page.evaluate("window.jupyterapp.commands.execute('storage:open-terminal')")
    terminal = page.locator(".jp-Terminal")
    expect(terminal).to_be_visible()
    terminal.locator("textarea").focus()
    page.keyboard.type("pwd > here.txt\n")
    for _ in range(100):
        if (shared / "here.txt").exists() and (shared / "here.txt").read_text():
            break
        page.wait_for_timeout(100)
    assert Path((shared / "here.txt").read_text().strip()).samefile(shared)
