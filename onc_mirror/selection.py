"""Which of the listed files are wanted, as a value; what is left out is left out by a rule with a name.

By default everything is wanted: there is no silent limit on size or anything else. The rules, in the order in
which they are asked; the first that objects names itself in ledger and report:

    extension     `extensions` is given and the name has another one
    product       `products` is given and the archive's product code is another one, or there is none
    size          the download would be smaller than `min_bytes` or larger than `max_bytes`; a size that the
                  archive does not give is no reason to leave a file out
    name          the filename does not match the glob `name_pattern`

Rules know the codes that archive rows carry. A product chosen by its name is looked up at the archive first.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is wanted. None is no restriction; an empty set wants nothing.

    Attributes:
        extensions: Extensions without dot, compared in lower case.
        products: Data product codes, compared exactly.
        min_bytes: Smallest download wanted, inclusive.
        max_bytes: Largest download wanted, inclusive.
        name_pattern: A glob as the shell has it (`*`, `?`, `[...]`) for the whole filename, in exact case.
    """

    extensions: frozenset[str] | None = None
    products: frozenset[str] | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    name_pattern: str | None = None


def excluding_rules(listed: pd.DataFrame, selection: Selection) -> pd.Series[Any]:
    """Return for each row of `listed` the name of the rule that leaves it out, missing where it is wanted.

    Args:
        listed: A listing with the columns of `frames.COLUMNS`.
        selection: What is wanted.

    Returns:
        The names above, or missing, with the index of `listed`.
    """
    rules = listed["filename"].where(listed["filename"].isna())
    for rule, unwanted in _objections(listed, selection):
        rules = rules.mask(unwanted & rules.isna(), rule)
    return rules


def _objections(listed: pd.DataFrame, selection: Selection) -> Iterator[tuple[str, pd.Series[bool]]]:
    if selection.extensions is not None:
        yield "extension", ~listed["extension"].isin({extension.lower() for extension in selection.extensions})
    if selection.products is not None:
        yield "product", ~listed["product_code"].isin(selection.products)
    if selection.min_bytes is not None:
        yield "size", listed["expected_bytes"].lt(selection.min_bytes).fillna(False).astype(bool)
    if selection.max_bytes is not None:
        yield "size", listed["expected_bytes"].gt(selection.max_bytes).fillna(False).astype(bool)
    if selection.name_pattern is not None:
        yield "name", ~listed["filename"].str.fullmatch(fnmatch.translate(selection.name_pattern)).astype(bool)
