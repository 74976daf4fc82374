"""Make the pictures of the docs: ``python -m tests.ui.screenshots`` in the clone's root.

With ``--into DIRECTORY``, also of the theme with high contrast, they go there, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
from pathlib import Path

import pyarrow
from playwright.sync_api import Locator, Page, expect, sync_playwright
from pyarrow import parquet

from tests.synthetic_experiments import trial_pair, write_state

from .panel import Panel
from .server import REPOSITORY, Lab, running_lab
from .test_history import save

IMAGES = REPOSITORY / "docs" / "images"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
CONTRAST = {"contrast": "JupyterLab Dark High Contrast"}
TRAINING = "import torch\n\nLEARNING_RATE = {rate}\nmodel = torch.nn.Linear(8, {width})\n"
TITLE = "# Training\n\nCheckpoints go to `shared:`, data sets lie on `artifacts:`.\n"


def _fill(lab: Lab) -> None:
    shared = lab.tier("shared")
    for name in ("checkpoints", "evaluation"):
        (shared / name).mkdir(parents=True)
    (shared / "notes.md").write_text(TITLE)
    (shared / "metrics.csv").write_text("step,loss\n" + "1000,0.25\n" * 700)
    steps = range(40_000)
    table = pyarrow.table(
        {
            "step": steps,
            "loss": [round(0.2 + 3 / (1 + step / 50), 4) for step in steps],
            "split": ["valid" if step % 10 == 9 else "train" for step in steps],
            "note": ["restarted" if step == 3 else None for step in steps],
        }
    )
    parquet.write_table(table, shared / "evaluation" / "metrics.parquet")
    (shared / "checkpoints" / "metrics-old.csv").write_text("step,loss\n")
    (shared / "model.safetensors").write_bytes(bytes(48_300_000))
    (shared / "params.json").write_text('{"lr": 3e-4}')
    data = lab.tier("user") / "images"
    data.mkdir(parents=True)
    for i in range(40):
        (data / f"{i:04}.png").write_bytes(bytes(90_000))
    save(lab, "train.py", TRAINING.format(rate="3e-4", width=2))
    save(lab, "train.py", TRAINING.format(rate="1e-4", width=16))
    _experiment(shared / "runs" / "cats")


def _experiment(directory: Path) -> None:
    """Forty trials that learn faster or slower."""
    pairs = []
    for number in range(40):
        name = f"train_ab12c_{number:05d}"
        speed, best = 2 + number * 7 % 11, 0.72 + (number * 13 % 40) / 160
        scores = [
            round(best * (1 - math.exp(-step / speed)) + 0.01 * math.sin(number + step), 4)
            for step in range(1, 25)
        ]
        checkpoint = directory / name / "checkpoint_000023"
        checkpoint.mkdir(parents=True)
        (checkpoint / "model.pt").write_bytes(bytes(1_300_000))
        rows = [
            {"score": score, "training_iteration": step}
            | ({"checkpoint_dir_name": checkpoint.name} if step == 24 else {})
            for step, score in enumerate(scores, 1)
        ]
        (directory / name / "result.json").write_text(
            "".join(json.dumps(row) + "\n" for row in rows)
        )
        state = "ERROR" if number == 17 else "TERMINATED"
        pairs.append(trial_pair(number, state=state, scores=scores, directory=name))
    write_state(directory, pairs)


class Camera:
    """Takes pictures of one page in one theme."""

    def __init__(self, page: Page, into: Path, theme: str) -> None:
        self.page, self._into, self._theme = page, into, theme

    def take(self, name: str, of: Locator | None = None) -> None:
        """Write a picture of the page, or of a part of it."""
        self.page.mouse.move(900, 700)
        self.page.wait_for_timeout(700)
        path = self._into / f"{name}-{self._theme}.png"
        if of is None:
            self.page.screenshot(path=path)
        else:
            of.screenshot(path=path)


def _welcome(camera: Camera, lab: Lab, theme: str) -> None:
    page = camera.page
    panel = Panel.open(page, lab.url)
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
    )
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    expect(panel.tier("shared")).to_contain_text("free")
    camera.take("welcome", panel.node)


def _picture(camera: Camera) -> None:
    page = camera.page
    panel = Panel(page)
    panel.open_tier("user")
    panel.menu(panel.row("images"), "Copy")
    panel.open_tier("shared")
    panel.row("notes.md").dblclick()
    expect(page.locator(".jp-FileEditor:visible")).to_contain_text("Checkpoints")
    if panel.row("images").count() == 0:
        panel.menu(panel.row("params.json"), "Paste")
        expect(panel.transfer("images")).to_contain_text("Done")
    expect(panel.row("images")).to_be_visible()
    expect(page.locator(".jp-Storage-statusItem")).to_contain_text("Saved", timeout=60_000)
    panel.row("model.safetensors").click()
    camera.take("panel")


def _looking(camera: Camera) -> None:
    """A search, and the preview of one of the files that it found."""
    page = camera.page
    panel = Panel(page)
    page.evaluate("window.jupyterapp.commands.execute('application:close-all')")
    expect(page.locator(".jp-Launcher")).to_be_focused()
    panel.open_tier("shared")
    panel.rows.first.click()
    page.keyboard.press("ControlOrMeta+Shift+f")
    expect(panel.node.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("metrics")
    expect(panel.node.get_by_role("status").first).to_have_text("3 matches")
    panel.row("metrics.parquet").click()
    page.keyboard.press("Space")
    expect(page.locator("#jp-storage-preview")).to_contain_text("The first 50 of")
    camera.take("preview")
    panel.row("metrics.parquet").click()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


def _usage(camera: Camera) -> None:
    """What fills a tier."""
    page = camera.page
    page.evaluate("window.jupyterapp.commands.execute('storage:usage', {tier: 'shared'})")
    view = page.locator(".jp-Storage-usage")
    expect(view).to_contain_text("counted")
    view.get_by_role("checkbox").nth(1).check()
    camera.take("usage", view)


def _form(camera: Camera) -> None:
    """A bucket that is about to be added."""
    page = camera.page
    Panel(page).node.get_by_role("button", name="Add a Bucket…").first.click()
    dialog = page.locator(".jp-Dialog-content")
    dialog.get_by_label("Address").fill("s3://team-data/sets")
    dialog.get_by_label("Name of the tier").fill("team")
    dialog.get_by_label("Credentials").select_option("profile")
    dialog.get_by_role("textbox", name="Profile").fill("research")
    camera.take("bucket", dialog)
    page.keyboard.press("Escape")


def _history(camera: Camera) -> None:
    """The timeline, and the versions of a file."""
    page = camera.page
    panel = Panel(page)
    page.evaluate("window.jupyterapp.commands.execute('application:close-all')")
    page.evaluate("window.jupyterapp.commands.execute('storage:versions', {path: 'train.py'})")
    view = page.locator(".jp-Storage-versions:visible")
    expect(view.locator(".jp-Storage-diff")).to_contain_text("3e-4")
    _show_only(panel, "History")
    panel.node.locator(".jp-Storage-snapshotButton").first.click()
    expect(panel.node).to_contain_text("Changed in this snapshot:")
    camera.take("history")


def _show_only(panel: Panel, title: str) -> None:
    titles = panel.node.locator(".lm-AccordionPanel-title")
    for each in titles.all():
        expanded = "lm-mod-expanded" in (each.get_attribute("class") or "")
        if expanded != (title.lower() in each.inner_text().lower()):
            # Where a click would be, it has buttons.
            each.dispatch_event("click")


def _experiments(camera: Camera) -> None:
    """The trials of an experiment, and what is known of the best."""
    page = camera.page
    page.set_viewport_size({"width": 1200, "height": 1000})
    panel = Panel(page)
    _show_only(panel, "Experiments")
    panel.node.get_by_role("button", name="Look for Them").click()
    found = panel.node.get_by_role("region", name="shared:runs/cats")
    found.get_by_role("button").first.click()
    found.get_by_role("listitem").first.get_by_role("button").click()
    expect(found.get_by_role("button", name="Fetch Checkpoint…")).to_be_visible()
    page.wait_for_timeout(500)
    camera.take("experiments", panel.node)


def main() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    into = options.into or IMAGES
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, running_lab(Path(directory) / "lab") as lab:
        _fill(lab)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            )
            for short, theme in (THEMES | (CONTRAST if options.into else {})).items():
                context = browser.new_context(viewport={"width": 1200, "height": 860})
                camera = Camera(context.new_page(), into, short)
                _welcome(camera, lab, theme)
                for view in (_picture, _looking, _usage, _form, _history, _experiments):
                    view(camera)
                context.close()
            browser.close()


if __name__ == "__main__":
    main()
