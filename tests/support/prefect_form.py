"""The run form of the Prefect UI, as a person fills it in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def form_field(page: Page, name: str) -> Locator:
    """A parameter's part of the form."""
    label = page.locator(".schema-form-property__label", has_text=re.compile(rf"^{name}( \(Optional\))?$"))
    return page.locator(".schema-form-property", has=label)


def choose(page: Page, name: str, kind: str, choice: str) -> None:
    """Choose a value of a parameter that offers some.

    Args:
        page: The form.
        name: The parameter.
        kind: What the form calls a value of it, beside None.
        choice: The value.
    """
    field = form_field(page, name)
    field.get_by_text(kind, exact=True).click()
    field.locator(".p-select-button__icon").click()
    page.locator(".p-select-option").get_by_text(choice, exact=True).click()
    page.keyboard.press("Escape")
    expect(field.locator(".p-select-button")).to_contain_text(choice)


def pick_day(page: Page, name: str, day: int) -> None:
    """Pick a day of this month in the calendar of a parameter."""
    form_field(page, name).get_by_text("Select date").click()
    page.get_by_role("button", name=str(day), exact=True).first.click()
    page.get_by_role("button", name="Apply").click()
