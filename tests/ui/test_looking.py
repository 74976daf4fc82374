"""Looking for files and into them: previews, searches, typed paths, what is remembered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow
from playwright.sync_api import Locator, Page, expect
from pyarrow import parquet

from .panel import Panel
from .server import REPOSITORY, TOKEN, Lab

AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE = "<img src=x onerror=\"document.title='hacked'\">"


def preview_of(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=f"Preview of {name}", exact=True)


def violations(page: Page, selector: str) -> list[str]:
    page.add_script_tag(path=AXE)
    result = page.evaluate("selector => axe.run(selector, {resultTypes: ['violations']})", selector)
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def fill(folder: Path) -> None:
    """One file of each kind, with a name and a content that want to be HTML where they can."""
    (folder / "a.csv").write_text(f"{HOSTILE},n\n{HOSTILE},1\n".replace('"', ""))
    (folder / "b.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "markdown", "source": HOSTILE}], "nbformat": 4})
    )
    (folder / "c.json").write_text('{"key":[1,2]}')
    parquet.write_table(
        pyarrow.table({"n": list(range(999)), HOSTILE: ["x"] * 999}), folder / "d.parquet"
    )
    (folder / "e.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20" '
        "onload=\"document.title='hacked'\"><script>top.document.title='hacked'</script></svg>"
    )
    (folder / "f.txt").write_text(f"{HOSTILE} \x1b[31m")
    (folder / "g.bin").write_bytes(b"\x00\xff" * 50)
    (folder / "h.txt").touch()


def test_the_arrow_keys_go_from_preview_to_preview(panel: Panel, shared: Path, page: Page):
    fill(shared)
    panel.open_directory(f"shared:{shared.name}")
    panel.row("a.csv").click()
    page.keyboard.press("Space")
    seen = preview_of(page, "a.csv")
    expect(seen.get_by_role("columnheader", name="n", exact=True)).to_be_visible()
    expect(seen.get_by_role("cell").nth(1)).to_have_text("1")
    # The keyboard is still among the rows.
    expect(panel.focused).to_contain_text("a.csv")
    for name, text in (
        ("b.ipynb", HOSTILE),
        ("c.json", '  "key": [\n    1,\n    2\n  ]'),
        ("d.parquet", "The first 50 of 999 rows"),
        ("e.svg", "30 × 20"),
        ("f.txt", f"{HOSTILE} ␛[31m"),
        ("g.bin", "00000000  00 ff 00 ff"),
        ("h.txt", "The file is empty."),
    ):
        page.keyboard.press("ArrowDown")
        expect(preview_of(page, name)).to_contain_text(text)
    expect(preview_of(page, "h.txt")).to_contain_text("Owner")
    preview_of(page, "h.txt").get_by_role("button", name="Previous").click()
    expect(preview_of(page, "g.bin")).to_be_visible()
    # What lies in a bucket is text, and an image at most.
    assert page.locator("img[src='x']").count() == 0
    assert page.title() != "hacked"
    panel.row("g.bin").click()
    page.keyboard.press("Escape")
    expect(page.locator("#jp-storage-preview")).to_have_count(0)
    expect(panel.focused).to_contain_text("g.bin")


def test_escape_in_the_preview_gives_the_keyboard_back_to_the_rows(
    panel: Panel, shared: Path, page: Page
):
    (shared / "long.txt").write_text("line\n" * 500)
    panel.open_directory(f"shared:{shared.name}")
    panel.row("long.txt").click()
    panel.tool("Preview").click()
    text = preview_of(page, "long.txt").get_by_role("region", name="Text")
    text.focus()
    page.keyboard.press("End")
    page.keyboard.press("Escape")
    expect(page.locator("#jp-storage-preview")).to_have_count(0)
    expect(panel.focused).to_contain_text("long.txt")


def test_a_preview_that_is_closed_by_its_tab_opens_again(panel: Panel, shared: Path, page: Page):
    (shared / "a.txt").write_text("content")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("a.txt").click()
    page.keyboard.press("Space")
    expect(preview_of(page, "a.txt")).to_contain_text("content")
    page.get_by_role("tab", name="a.txt").locator(".lm-TabBar-tabCloseIcon").click()
    expect(page.locator("#jp-storage-preview")).to_have_count(0)
    expect(panel.tool("Preview")).to_have_attribute("aria-pressed", "false")
    panel.row("a.txt").click()
    page.keyboard.press("Space")
    expect(preview_of(page, "a.txt")).to_contain_text("content")


def test_a_preview_follows_a_file_that_changes(panel: Panel, shared: Path, page: Page):
    (shared / "log.txt").write_text("before")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("log.txt").click()
    page.keyboard.press("Space")
    expect(preview_of(page, "log.txt")).to_contain_text("before")
    (shared / "log.txt").write_text("after all")
    panel.tool("Look again at tiers and files").click()
    expect(preview_of(page, "log.txt")).to_contain_text("after all")


def test_names_are_found_below_the_folder_and_shown_in_theirs(
    panel: Panel, shared: Path, page: Page
):
    for path in ("runs/a/report.csv", "runs/b/report-2.csv", f"{HOSTILE.replace('/', '')}/report"):
        (shared / path).parent.mkdir(parents=True, exist_ok=True)
        (shared / path).write_text("x")
    panel.open_directory(f"shared:{shared.name}")
    panel.rows.first.click()
    page.keyboard.press("ControlOrMeta+Shift+f")
    expect(panel.node.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("report")
    status = panel.node.get_by_role("status").first
    expect(status).to_have_text("3 matches")
    expect(panel.row("report.csv")).to_contain_text("runs/a")
    header = panel.grid.get_by_role("columnheader", name="Name")
    header.get_by_role("button").click()
    expect(panel.rows.last).to_contain_text("<img src=x")
    header.get_by_role("button").click()
    assert page.locator("img[src='x']").count() == 0
    assert violations(page, "#jp-storage-panel") == []
    panel.row("report-2.csv").click()
    panel.menu(panel.row("report-2.csv"), "Show in Folder")
    expect(panel.grid).to_have_attribute("aria-label", f"Files in shared:{shared.name}/runs/b")
    expect(panel.focused).to_contain_text("report-2.csv")


def test_a_search_that_finds_nothing_says_so_and_escape_brings_the_folder_back(
    panel: Panel, shared: Path, page: Page
):
    (shared / "a.txt").touch()
    panel.open_directory(f"shared:{shared.name}")
    panel.rows.first.click()
    page.keyboard.press("ControlOrMeta+f")
    expect(panel.node.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("zzz")
    expect(panel.grid).to_contain_text("No name here matches")
    panel.tool("Look in folders below too").click()
    expect(panel.grid).to_contain_text("Nothing here or below matches “zzz”.")
    page.keyboard.press("Escape")
    expect(panel.row("a.txt")).to_be_visible()
    expect(panel.grid).to_have_attribute("aria-label", f"Files in shared:{shared.name}")


def test_a_path_is_typed_and_completed(panel: Panel, shared: Path, lab: Lab, page: Page):
    (shared / "checkpoints" / "step-1").mkdir(parents=True)
    (shared / "checkpoints" / "step-1" / "model.pt").touch()
    (shared / "check.txt").touch()
    panel.open_directory(f"shared:{shared.name}")
    panel.rows.first.click()
    keys = page.keyboard
    keys.press("/")
    box = panel.node.get_by_role("combobox", name="Path")
    expect(box).to_be_focused()
    expect(box).to_have_value(f"shared:{shared.name}/")
    keys.press("End")
    keys.type("check")
    options = panel.node.get_by_role("option")
    expect(options).to_have_text(["checkpoints/", "check.txt"])
    assert violations(page, "#jp-storage-panel") == []
    keys.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    keys.press("Tab")
    expect(box).to_have_value(f"shared:{shared.name}/checkpoints/")
    expect(options).to_have_text(["step-1/"])
    keys.press("Tab")
    keys.press("Enter")
    expect(panel.grid).to_have_attribute("aria-label", re.compile("checkpoints/step-1$"))
    expect(panel.focused).to_contain_text("model.pt")
    # An address of the tier is as good; a file gets the focus.
    keys.press("/")
    expect(box).to_be_focused()
    keys.insert_text((lab.tier("shared") / shared.name / "check.txt").as_uri())
    keys.press("Enter")
    expect(panel.focused).to_contain_text("check.txt")
    keys.press("/")
    expect(box).to_be_focused()
    keys.insert_text("s3://elsewhere/x")
    keys.press("Enter")
    expect(panel.node.get_by_role("alert")).to_contain_text("No tier has this")
    keys.press("Escape")
    expect(panel.focused).to_contain_text("check.txt")


def test_place_order_and_columns_are_as_before_after_a_reload(
    own_page: Page, lab: Lab, shared: Path
):
    page, panel = own_page, Panel.open(own_page, lab.url)
    (shared / "folder").mkdir()
    for name, size in (("a", 1), ("b", 2)):
        (shared / "folder" / name).write_bytes(b"x" * size)
    panel.open_directory(f"shared:{shared.name}/folder")
    panel.grid.get_by_role("columnheader", name="Size").get_by_role("button").click()
    expect(panel.rows.first).to_contain_text("b")
    column = panel.grid.get_by_role("separator", name="Width of Size")
    before = int(column.get_attribute("aria-valuenow") or 0)
    column.focus()
    page.keyboard.press("ArrowLeft")
    expect(column).to_have_attribute("aria-valuenow", str(before + 8))
    box = column.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 4, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] - 6, box["y"] + 5)
    width = before + 18
    with page.expect_response(
        lambda response: f'"size":{width}' in (response.request.post_data or "").replace("\\", "")
    ):
        page.mouse.up()
        expect(column).to_have_attribute("aria-valuenow", str(width))
    page.reload()
    where = f"Files in shared:{shared.name}/folder"
    expect(panel.grid).to_have_attribute("aria-label", where, timeout=60_000)
    expect(panel.rows.first).to_contain_text("b")
    expect(column).to_have_attribute("aria-valuenow", str(width))
    page.goto("about:blank")


def test_sections_have_their_room_when_the_page_is_loaded_again(own_page: Page, lab: Lab):
    page, panel = own_page, Panel(own_page)
    page.goto(f"{lab.url}/lab/workspaces/room?reset&token={TOKEN}")
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
    page.get_by_role("tab", name="Running Terminals and Kernels").click()
    with page.expect_response(
        lambda response: '"current":"jp-storage-panel"' in (response.request.post_data or "")
    ):
        panel.show()
    page.wait_for_timeout(1_000)  # the last change is saved a little later
    page.goto("about:blank")
    page.goto(f"{lab.url}/lab/workspaces/room?token={TOKEN}")
    page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
    sections = panel.node.locator(".jp-Storage-section")
    expect(sections).to_have_count(7)
    page.evaluate("window.jupyterapp.restored.then(() => 0)")
    page.wait_for_timeout(1_000)  # sizes are set in later turns
    _, files, transfers, *_ = sections.evaluate_all("all => all.map(each => each.clientHeight)")
    assert files > 2 * transfers > 0
    page.goto("about:blank")


def test_axe_finds_no_violation_in_a_preview(panel: Panel, shared: Path, page: Page):
    fill(shared)
    panel.open_directory(f"shared:{shared.name}")
    panel.row("a.csv").click()
    page.keyboard.press("Space")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        for name in ("a.csv", "b.ipynb", "e.svg", "f.txt"):
            panel.row(name).click()
            expect(preview_of(page, name)).to_contain_text("Owner")
            assert violations(page, "#jp-storage-preview") == []
        assert violations(page, "#jp-storage-panel") == []
