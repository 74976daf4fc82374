"""Rows dragged to folders, tiers, the file browser, editors and terminals, and back."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from .panel import Panel
from .server import Lab


def side_by_side(page: Page) -> Locator:
    """Put JupyterLab's own file browser beside the panel, and give its list."""
    page.evaluate(
        """async () => {
          const { shell, commands } = window.jupyterapp;
          const browser = [...shell.widgets('left'), ...shell.widgets('right')]
            .find(widget => widget.id === 'filebrowser');
          shell.add(browser, 'right');
          shell.activateById('filebrowser');
        }"""
    )
    listing = page.locator("#filebrowser .jp-DirListing-content")
    expect(listing).to_be_visible()
    return listing


def test_a_row_moves_into_a_folder_and_is_copied_to_another_tier(
    panel: Panel, shared: Path, lab: Lab
):
    (shared / "folder").mkdir()
    (shared / "data.csv").write_text("a,b\n")
    panel.open_directory(f"shared:{shared.name}")
    panel.row("data.csv").drag_to(panel.row("folder"))
    expect(panel.transfer("Move")).to_contain_text("Done")
    assert (shared / "folder" / "data.csv").read_text() == "a,b\n"
    expect(panel.row("data.csv")).to_have_count(0)
    panel.row("folder").drag_to(panel.tier("local"))
    expect(panel.transfer("Copy")).to_contain_text("Done")
    assert (shared / "folder" / "data.csv").exists()
    copied = lab.tier("local") / "folder"
    assert (copied / "data.csv").read_text() == "a,b\n"


def test_rows_and_the_file_browser_exchange_files(panel: Panel, shared: Path, lab: Lab, page: Page):
    (shared / "from tier.txt").write_text("tier")
    (lab.project / "from project.txt").write_text("project")
    panel.open_directory(f"shared:{shared.name}")
    listing = side_by_side(page)
    item = listing.locator(".jp-DirListing-item", has_text="from project.txt")
    expect(item).to_be_visible(timeout=30_000)
    panel.row("from tier.txt").drag_to(listing, target_position={"x": 60, "y": 200})
    expect(listing.locator(".jp-DirListing-item", has_text="from tier.txt")).to_be_visible()
    assert (lab.project / "from tier.txt").read_text() == "tier"
    # JupyterLab's own drags follow the mouse.
    item.hover()
    page.mouse.down()
    target = panel.grid.bounding_box()
    page.mouse.move(target["x"] + 60, target["y"] + 120, steps=10)
    page.mouse.up()
    expect(panel.row("from project.txt")).to_be_visible()
    assert (shared / "from project.txt").read_text() == "project"
    assert (lab.project / "from project.txt").exists()
    expect(panel.transfer("from project.txt")).to_contain_text("Done")


def test_a_terminal_and_an_editor_take_the_path(panel: Panel, shared: Path, page: Page, lab: Lab):
    (shared / "it's.csv").write_text("a")
    (lab.project / "drop.py").write_text("")
    panel.open_directory(f"shared:{shared.name}")
    page.evaluate("window.jupyterapp.commands.execute('docmanager:open', {path: 'drop.py'})")
    editor = page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_be_visible()
    panel.row("it's.csv").drag_to(editor)
    expect(editor).to_contain_text(f"{shared}/it's.csv")
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.evaluate("window.jupyterapp.commands.execute('terminal:create-new')")
    terminal = page.locator(".jp-Terminal")
    expect(terminal.locator(".xterm-screen")).to_be_visible(timeout=30_000)
    page.wait_for_timeout(1000)
    terminal.click()
    page.keyboard.type("cp ")
    panel.row("it's.csv").drag_to(terminal)
    copied = lab.project / "copied.csv"
    page.keyboard.type(f"{copied}\n")
    for _ in range(100):
        if copied.exists():
            break
        page.wait_for_timeout(100)
    assert copied.read_text() == "a"


def test_a_cell_takes_code_that_reads_the_file_or_its_path(
    panel: Panel, shared: Path, lab: Lab, page: Page
):
    (shared / "iris.csv").write_text("a,b\n1,2\n")
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [{**cell, "id": "a", "source": ""}, {**cell, "id": "b", "source": 'open("")'}]
    (lab.project / "drop.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    panel.open_directory(f"shared:{shared.name}")
    page.evaluate(
        "window.jupyterapp.commands.execute('docmanager:open', "
        "{path: 'drop.ipynb', kernelPreference: {shouldStart: false}})"
    )
    editors = page.locator(".jp-NotebookPanel:visible .jp-Cell .cm-content")
    expect(editors).to_have_count(2)
    panel.row("iris.csv").drag_to(editors.nth(0))
    expect(editors.nth(0)).to_contain_text("frame = pd.read_csv(file)")
    # Between the quotes that are there.
    line = editors.nth(1).locator(".cm-line")
    inside = line.evaluate(
        """line => {
          const range = document.createRange();
          const text = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
          while (text.nextNode() && !text.currentNode.textContent.includes('""'));
          range.setStart(text.currentNode, text.currentNode.textContent.indexOf('""') + 1);
          const { x } = range.getBoundingClientRect();
          return x - line.getBoundingClientRect().x;
        }"""
    )
    panel.row("iris.csv").drag_to(line, target_position={"x": inside, "y": 8})
    expect(editors.nth(1)).to_have_text(f'open("{shared}/iris.csv")')


def test_addresses_and_code_are_copied(panel: Panel, shared: Path, page: Page):
    (shared / "iris.csv").write_text("a,b\n1,2\n")
    panel.open_directory(f"shared:{shared.name}")
    panel.menu(panel.row("iris.csv"), "Copy URI")
    copied = "navigator.clipboard.readText()"
    assert page.evaluate(copied) == (shared / "iris.csv").as_uri()
    panel.row("iris.csv").click(button="right")
    page.locator(".lm-Menu-item", has_text="Copy Code").hover()
    page.locator(".lm-Menu-item", has_text="pandas").click()
    code = page.evaluate(copied)
    assert f'jupyter_storage.open("shared:{shared.name}/iris.csv")' in code
    assert "pd.read_csv(file)" in code
