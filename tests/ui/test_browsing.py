"""Looking around: tiers, folders, keyboard, names that want to be HTML, accessibility."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from .panel import Panel
from .server import REPOSITORY

AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def test_panel_shows_five_tiers_with_scope_lifetime_and_room(panel: Panel):
    names = panel.node.locator(".jp-Storage-tierName")
    expect(names).to_have_text(["local", "cluster", "user", "shared", "artifacts"])
    local = panel.tier("local")
    expect(local).to_contain_text("this node only · gone with the node")
    expect(local).to_contain_text("free")
    expect(local.get_by_role("meter")).to_have_attribute("aria-valuenow", re.compile(r"\d+"))
    expect(panel.tier("artifacts")).to_contain_text("everyone in the cloud")


def test_sorting_by_size_turns_round(panel: Panel, shared: Path):
    for name, size in (("a", 30), ("b", 10), ("c", 20)):
        (shared / name).write_bytes(b"x" * size)
    panel.open_directory(f"shared:{shared.name}")
    assert panel.names() == ["a", "b", "c"]
    header = panel.grid.get_by_role("columnheader", name="Size")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(panel.rows.first).to_contain_text("a")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(panel.rows.first).to_contain_text("b")
    assert panel.names() == ["b", "c", "a"]


def test_huge_folder_is_paged_and_only_seen_rows_are_in_the_document(panel: Panel, shared: Path):
    for i in range(2300):
        (shared / f"f{i:05}").touch()
    panel.open_directory(f"shared:{shared.name}")
    expect(panel.node.get_by_role("status").first).to_contain_text("First 500 items")
    assert panel.rows.count() < 80
    panel.rows.first.click()
    # Each End goes to the last one that is loaded, and asks for more.
    for _ in range(60):
        panel.page.keyboard.press("End")
        if "f02299" in panel.focused.inner_text():
            break
        panel.page.wait_for_timeout(100)
    expect(panel.focused).to_contain_text("f02299")
    expect(panel.grid).to_have_attribute("aria-rowcount", "2301")
    assert panel.rows.count() < 80
    panel.page.keyboard.press("Home")
    expect(panel.focused).to_contain_text("f00000")


def test_a_folder_is_filtered_while_one_types(panel: Panel, shared: Path, page: Page):
    for i in range(1500):
        (shared / f"f{i:04}").touch()
    (shared / "Report.csv").touch()
    (shared / "old report.txt").touch()
    panel.open_directory(f"shared:{shared.name}")
    panel.rows.first.click()
    page.keyboard.press("ControlOrMeta+f")
    box = panel.node.get_by_role("searchbox")
    expect(box).to_be_focused()
    page.keyboard.type("report")
    expect(panel.rows).to_have_count(2)
    status = panel.node.get_by_role("status").first
    expect(status).to_have_text("2 matches")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("report.z*")
    expect(panel.grid).to_contain_text("No name here matches “report.z*”.")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("f149?")
    expect(panel.rows).to_have_count(10)
    page.keyboard.press("ArrowDown")
    expect(panel.focused).to_contain_text("f1490")
    page.keyboard.press("ArrowDown")
    expect(panel.focused).to_contain_text("f1491")
    box.focus()
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    expect(status).to_contain_text("items")
    expect(panel.row("f0000")).to_be_visible()


def test_hostile_names_are_text(panel: Panel, shared: Path, page: Page):
    name = "<img src=x onerror=\"document.title='hacked'\">"
    (shared / name).write_text("x")
    panel.open_directory(f"shared:{shared.name}")
    expect(panel.row(name)).to_be_visible()
    panel.row(name).click()
    page.keyboard.press("F2")
    expect(page.locator(".jp-Dialog")).to_contain_text(name)
    page.keyboard.press("Escape")
    panel.row(name).click()
    page.keyboard.press("Delete")
    expect(page.locator(".jp-Dialog")).to_contain_text(name)
    panel.dialog_button("Delete").click()
    expect(panel.transfer("Delete")).to_contain_text(name)
    expect(panel.row(name)).to_have_count(0)
    assert page.locator("img[src='x']").count() == 0
    assert page.title() != "hacked"


def test_everything_by_keyboard(panel: Panel, shared: Path, page: Page):
    (shared / "alpha").mkdir()
    (shared / "alpha" / "inner.txt").write_text("x")
    for name in ("beta.txt", "gamma.txt", "gant.txt"):
        (shared / name).write_text(name)
    panel.open_directory(f"shared:{shared.name}")
    keys = page.keyboard

    panel.focus_rows()
    assert panel.grid.locator(".jp-Storage-item[tabindex='0']").count() == 1
    keys.press("ArrowDown")
    expect(panel.focused).to_contain_text("alpha")
    keys.press("Enter")
    expect(panel.focused).to_contain_text("inner.txt")
    keys.press("Backspace")
    expect(panel.focused).to_contain_text("alpha")
    keys.press("End")
    expect(panel.focused).to_contain_text("gant.txt")
    keys.press("Home")
    keys.type("gan")
    expect(panel.focused).to_contain_text("gant.txt")
    keys.press("Shift+ArrowUp")
    expect(panel.grid.locator("[role=row][aria-selected=true]")).to_have_count(2)
    keys.press("Escape")
    expect(panel.grid.locator("[role=row][aria-selected=true]")).to_have_count(0)
    keys.press("ControlOrMeta+a")
    expect(panel.grid.locator("[role=row][aria-selected=true]")).to_have_count(4)

    keys.press("Home")
    keys.press("ArrowDown")
    expect(panel.focused).to_contain_text("beta.txt")
    keys.press("F2")
    page.locator(".jp-Dialog input").fill("renamed.txt")
    keys.press("Enter")
    expect(panel.focused).to_contain_text("renamed.txt")
    assert (shared / "renamed.txt").read_text() == "beta.txt"

    keys.press("Delete")
    expect(page.locator(".jp-Dialog")).to_contain_text("can be brought back")
    keys.press("Escape")
    expect(panel.focused).to_contain_text("renamed.txt")
    keys.press("Delete")
    panel.dialog_button("Delete").focus()
    keys.press("Enter")
    expect(panel.row("renamed.txt")).to_have_count(0)
    assert not (shared / "renamed.txt").exists()
    # The keyboard is still in the rows.
    keys.press("Home")
    expect(panel.focused).to_contain_text("alpha")


def test_missing_folder_says_so_and_a_retry_finds_it(
    panel: Panel, shared: Path, page: Page, complaints: list[str]
):
    (shared / "here").mkdir()
    panel.open_directory(f"shared:{shared.name}/here")
    (shared / "here").rmdir()
    panel.tool("Look again at tiers and files").click()
    alert = panel.node.get_by_role("alert")
    expect(alert).to_contain_text("No such file or directory")
    (shared / "here").mkdir()
    alert.get_by_role("button", name="Retry").click()
    expect(panel.grid).to_be_visible()
    complaints.clear()


def test_axe_finds_no_violation(panel: Panel, shared: Path, page: Page):
    (shared / "folder").mkdir()
    (shared / "file.txt").write_text("x")
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        panel.open_directory(f"shared:{shared.name}")
        panel.row("file.txt").click()
        page.add_script_tag(path=AXE)
        result = page.evaluate("axe.run('#jp-storage-panel', {resultTypes: ['violations']})")
        found = [
            f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
        assert found == []
    page.evaluate(
        "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})"
    )
