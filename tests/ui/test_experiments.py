"""Experiments of Ray in the panel: found, opened, fetched, gone on with and cleaned up."""

from __future__ import annotations

from pathlib import Path

import nbformat
from playwright.sync_api import Locator, expect
from synthetic_experiments import trial_pair, write_state, write_tune

from .panel import Panel
from .server import REPOSITORY, Lab

AXE = REPOSITORY / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def experiments(panel: Panel) -> Locator:
    """The section, with what a person finds who looks now."""
    section = panel.node.locator(".jp-Storage-experiments")
    if not section.is_visible():
        panel.node.locator(".lm-AccordionPanel-title").filter(has_text="Experiments").click()
    section.get_by_role("button", name="Look").click()
    return section


def opened(panel: Panel, name: str) -> Locator:
    section = experiments(panel)
    found = section.get_by_role("region", name=name)
    found.get_by_role("button").first.click()
    return found


def trial(found: Locator, number: int) -> Locator:
    return found.get_by_role("button", name=f"ab12c_{number:05d}")


def test_an_experiment_shows_its_trials_with_curves_and_the_best_first(
    panel: Panel, shared: Path
) -> None:
    write_tune(shared / "cats", 12)
    found = opened(panel, f"shared:{shared.name}/cats")
    expect(found).to_contain_text("12 trials")
    expect(found).to_contain_text("1 ERROR · 11 TERMINATED")
    trials = found.get_by_role("listitem")
    expect(trials).to_have_count(12)
    expect(trials.first).to_contain_text("11.9")
    expect(trials.first.locator("svg.jp-Storage-sparkline")).to_be_visible()
    trial(found, 11).click()
    details = found.get_by_role("region", name="Trial ab12c_00011")
    expect(details).to_contain_text("checkpoint_000002 (1 kB) score=11.9")
    expect(details).to_contain_text("net/width=11")
    plot = details.get_by_role("img", name="score from report 1 to 5, between 11.1 and 11.9")
    expect(plot).to_be_visible()
    panel.page.add_script_tag(path=AXE)
    problems = panel.page.evaluate(
        "async () => (await axe.run('.jp-Storage-experiments')).violations.map(v => v.id)"
    )
    assert problems == []


def test_a_large_experiment_is_scrolled_through_and_can_be_turned_round(
    panel: Panel, shared: Path
) -> None:
    """Its metrics are not told before it is opened: its state is too large for a list."""
    count = 1500
    pairs = [
        trial_pair(number, state="TERMINATED", scores=[number / 2], directory=None)
        for number in range(count)
    ]
    assert write_state(shared / "many", pairs).stat().st_size > 16 * 2**20
    found = opened(panel, f"shared:{shared.name}/many")
    trial(found, count - 1).focus()
    for loaded in (200, 400):
        expect(found).to_contain_text(f"The best {loaded} of {count}")
        panel.page.keyboard.press("End")
        expect(trial(found, count - loaded)).to_be_focused()
    assert found.get_by_role("listitem").count() < 40
    found.get_by_role("button", name="More is better").click()
    expect(found.get_by_role("listitem").first).to_contain_text("00000")
    expect(found.get_by_role("button", name="Less is better")).to_be_visible()


def test_everything_can_be_done_with_the_keyboard(
    panel: Panel, shared: Path, lab: Lab, complaints: list[str]
) -> None:
    write_tune(shared / "cats")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    nbformat.write(notebook, lab.project / "goes-on.ipynb")
    page, keyboard = panel.page, panel.page.keyboard
    page.evaluate(
        """async () => {
          await window.jupyterapp.commands.execute('docmanager:open', {path: 'goes-on.ipynb'});
        }"""
    )
    cells = page.locator(".jp-NotebookPanel:visible .jp-CodeCell")
    section = experiments(panel)
    found = section.get_by_role("region", name=f"shared:{shared.name}/cats")
    expect(found).to_be_visible()
    expect(section.get_by_role("button", name="Look Again")).to_be_focused()
    while found.locator(":focus").count() == 0:
        keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(trial(found, 2)).to_be_visible()

    def go_to(name: str) -> None:
        for _ in range(8):
            if found.locator(":focus").get_attribute("aria-label") == name:
                return
            keyboard.press("ArrowDown")
        raise AssertionError(name)

    expect(cells).to_have_count(1)
    go_to("Insert Cell That Restores")
    keyboard.press("Enter")
    expect(cells).to_have_count(2)
    expect(cells.last).to_contain_text(f'**location("cats", "shared:{shared.name}")')
    found.get_by_role("button").first.focus()
    go_to("ab12c_00001, ERROR, score 1.9")
    keyboard.press("Enter")
    fetch = found.get_by_role("button", name="Fetch Checkpoint…")
    expect(fetch).to_be_visible()
    keyboard.press("Tab")
    expect(fetch).to_be_focused()
    keyboard.press("Enter")
    expect(page.locator(".jp-Dialog input")).to_be_focused()
    keyboard.press("ControlOrMeta+a")
    keyboard.type(f"shared:{shared.name}/fetched")
    keyboard.press("Enter")
    expect(panel.transfer("Copy checkpoint_000002")).to_contain_text("Done")
    assert len(list((shared / "fetched").rglob("model.pt"))) == 1
    found.get_by_role("button").first.focus()
    go_to("Clean Up…")
    keyboard.press("Enter")
    expect(panel.dialog_button("Cancel")).to_be_focused()
    keyboard.press("Escape")
    expect(found.get_by_role("button", name="Clean Up…")).to_be_focused()
    # Jupyter's own server at times fails to list a kernel that is just starting.
    complaints[:] = [each for each in complaints if "/api/kernels" not in each]


def test_the_best_checkpoint_is_fetched_to_a_folder(panel: Panel, shared: Path) -> None:
    write_tune(shared / "cats")
    found = opened(panel, f"shared:{shared.name}/cats")
    found.get_by_role("button", name="Fetch Best Checkpoint…").click()
    panel.page.locator(".jp-Dialog input").fill(f"shared:{shared.name}/fetched")
    panel.dialog_button("Copy").click()
    expect(panel.transfer("Copy checkpoint_000002")).to_contain_text("Done")
    fetched = list((shared / "fetched").rglob("model.pt"))
    assert [path.stat().st_size for path in fetched] == [1002]


def test_without_a_notebook_the_code_that_restores_is_on_the_clipboard(
    panel: Panel, shared: Path
) -> None:
    write_tune(shared / "cats")
    found = opened(panel, f"shared:{shared.name}/cats")
    found.get_by_role("button", name="Insert Cell That Restores").click()
    expect(panel.page.get_by_text("No notebook is open")).to_be_visible()
    code = panel.page.evaluate("navigator.clipboard.readText()")
    assert f'**location("cats", "shared:{shared.name}")' in code
    compile(code, "cell", "exec")


def test_a_clean_up_says_what_is_lost_and_takes_the_experiment_away(
    panel: Panel, shared: Path
) -> None:
    write_tune(shared / "cats")
    found = opened(panel, f"shared:{shared.name}/cats")
    found.get_by_role("button", name="Clean Up…").click()
    question = panel.page.locator(".jp-Dialog")
    expect(question).to_contain_text("3 trials with all their checkpoints")
    expect(question).to_contain_text("may be running: stop it first")
    expect(question).to_contain_text("20 files")
    panel.dialog_button("Delete").click()
    expect(panel.transfer("Delete cats")).to_contain_text("Done")
    assert not (shared / "cats").exists()
    expect(found).to_have_count(0)
