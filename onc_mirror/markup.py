"""What others wrote, such as the names in an archive's listing, fit for those who take text for markup. Pure.

Prefect's UI takes artifacts for Markdown, each cell of a table too, and lets a link lead anywhere; Slack and Teams
have their own.
"""

from __future__ import annotations

import re

from onc_mirror.wording import printable, shortened

# What begins a link, an image, HTML or, in front, a list or a heading; and a backslash that says it does not.
_MARKUP = re.compile(r"[\[\]<]|\\(?=[!-/:-@\[-`{-~])|^[-+*#>](?=\s|$)")


def unmarked(text: str) -> str:
    r"""Return a line so that Markdown shows it, and makes no link, image or HTML of what somebody wrote.

    >>> print(unmarked("[a.hdf5](https://evil.example) <img src=b>"))
    \[a.hdf5\](https://evil.example) \<img src=b>
    """
    return _MARKUP.sub(r"\\\g<0>", text)


def plain(text: str, most: int | None = None) -> str:
    r"""Return what somebody wrote as one line of Markdown that shows just that, and no more than `most` signs of it.

    >>> print(plain("[a]\x1b[2J", 2))
    \[a...
    """
    line = printable(text)
    return unmarked(line if most is None else shortened(line, most))


def link(text: str, url: str | None) -> str:
    r"""Return what somebody wrote as a link of Markdown; without a URL as `plain`.

    Args:
        text: What is shown.
        url: Where it leads; without white space and round brackets.

    >>> link("a.hdf5", "https://console.example.org/a.hdf5"), link("a.hdf5", None)
    ('[a.hdf5](https://console.example.org/a.hdf5)', 'a.hdf5')
    """
    return plain(text) if url is None else f"[{plain(text)}]({url})"
