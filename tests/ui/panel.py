"""The panel as a person uses it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from .server import TOKEN


class Panel:
    """Finds things in the panel by what assistive technology is told about them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.node = page.locator("#jp-storage-panel")

    @classmethod
    def open(cls, page: Page, url: str) -> Panel:
        """Open JupyterLab in a workspace without a past, and show the panel."""
        page.goto(f"{url}/lab?reset&token={TOKEN}")
        page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)
        panel = cls(page)
        panel.show()
        return panel

    def show(self) -> None:
        """Bring the panel to the front of its sidebar."""
        if not self.node.is_visible():
            self.page.get_by_role("tab", name="Storage", exact=True).click()
        expect(self.node).to_be_visible()

    def clear(self) -> None:
        """Close what earlier tests opened, take their transfers off the list, and go to the tier
        'local', in the order of names."""
        self.page.evaluate(
            """async () => {
              const { commands, shell } = window.jupyterapp;
              for (const { context } of shell.widgets('main')) {
                if (context) {
                  context.model.dirty = false; // or it would be asked whether to save it
                }
              }
              await commands.execute('application:close-all');
              await commands.execute('storage:refresh');
              await commands.execute('storage:clear-transfers');
            }"""
        )
        # An empty JupyterLab shows its launcher, which mostly takes the focus.
        self.page.locator(".jp-Launcher").wait_for()
        self.page.evaluate(
            """() => new Promise(resolve => {
              setTimeout(resolve, 300);
              document.querySelector('.jp-Launcher').addEventListener('focus', resolve);
            })"""
        )
        self.show()
        expect(self.node).to_contain_text("No transfers.")
        self.open_tier("local")
        name = self.grid.get_by_role("columnheader", name="Name")
        if name.get_attribute("aria-sort") != "ascending":
            name.get_by_role("button").click()
            expect(name).to_have_attribute("aria-sort", "ascending")

    def tier(self, name: str) -> Locator:
        return self.node.locator(".jp-Storage-tier").filter(
            has=self.page.locator(f".jp-Storage-tierName:text-is('{name}')")
        )

    def open_tier(self, name: str) -> None:
        self.tier(name).locator(".jp-Storage-tierButton").click()
        expect(self.grid).to_have_attribute("aria-label", f"Files in {name}:")
        self.settle()

    def focus_rows(self) -> None:
        """Give the keyboard to the rows, or to the place where they would be."""
        rows = ".jp-Storage-item[tabindex='0'], [role='rowgroup'][tabindex='0']"
        self.grid.locator(rows).focus()

    def open_directory(self, path: str) -> None:
        """Go to ``tier:a/b`` by clicks, as a person would."""
        tier, _, key = path.partition(":")
        self.open_tier(tier)
        at = f"{tier}:"
        for part in key.split("/"):
            self.row(part).dblclick()
            at = at + part if at.endswith(":") else f"{at}/{part}"
            expect(self.grid).to_have_attribute("aria-label", f"Files in {at}")
            self.settle()

    def settle(self) -> None:
        expect(self.grid).to_have_attribute("aria-busy", "false")

    @property
    def grid(self) -> Locator:
        return self.node.get_by_role("grid")

    @property
    def rows(self) -> Locator:
        return self.grid.locator(".jp-Storage-item")

    def row(self, name: str) -> Locator:
        return self.rows.filter(
            has=self.page.locator(".jp-Storage-name > span", has_text=name)
        ).filter(has=self.page.get_by_text(name, exact=True))

    @property
    def focused(self) -> Locator:
        return self.grid.locator(".jp-Storage-item:focus")

    def names(self) -> list[str]:
        return self.rows.locator(".jp-Storage-name").all_inner_texts()

    def transfer(self, title: str) -> Locator:
        return self.node.locator(".jp-Storage-transfer").filter(has_text=title)

    def tool(self, name: str) -> Locator:
        return self.node.get_by_role("button", name=name, exact=True)

    def dialog_button(self, name: str) -> Locator:
        return self.page.locator(".jp-Dialog").get_by_role("button", name=name, exact=True)

    def menu(self, row: Locator, item: str) -> None:
        """Choose from the context menu of a row."""
        row.click(button="right")
        self.page.locator(".lm-Menu").get_by_role("menuitem", name=item).first.click()
