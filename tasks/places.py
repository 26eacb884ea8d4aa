"""Where in the bucket something is, as people read it in the Prefect UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.markup import link

if TYPE_CHECKING:
    from onc_mirror.settings import MirrorSettings


def place(settings: MirrorSettings, key: str) -> str:
    """An object, or a folder when the key ends in a slash, in Markdown: a link, if ONC_MIRROR_BROWSE_URL is set.

    If not, its URL in the store, to be copied: `aws s3 cp` takes it.
    """
    page = settings.page_of(key)
    return f"`{settings.store_url}/{key}`" if page is None else link(key, page)
