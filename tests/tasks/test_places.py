"""Where in the bucket something is, as people read it in the Prefect UI."""

from __future__ import annotations

import pytest

from onc_mirror.errors import SettingsError
from onc_mirror.settings import MirrorSettings, load_settings
from tasks.places import place

KEY = "reports/mirror-hour/2026/11/23/a (b).json"


def settings(browse_url: str | None, store_url: str = "s3://bucket/onc") -> MirrorSettings:
    return load_settings(token="t", store_url=store_url, browse_url=browse_url)


def test_without_a_page_an_object_is_named_by_its_url_in_the_store() -> None:
    assert place(settings(None), KEY) == f"`s3://bucket/onc/{KEY}`"


@pytest.mark.parametrize(
    ("store_url", "folder"), [("s3://bucket/onc", "onc/"), ("s3://bucket", ""), ("file:///mirror", "")]
)
def test_a_link_has_the_whole_key_and_nothing_that_ends_it_early(store_url: str, folder: str) -> None:
    linked = place(settings("https://console.example.org/?at={key}&tab=1", store_url), KEY)

    page = f"https://console.example.org/?at={folder}reports/mirror-hour/2026/11/23/a%20%28b%29.json&tab=1"
    assert linked == f"[{KEY}]({page})"


@pytest.mark.parametrize(
    "url",
    [
        "https://console.example.org/",
        "https://{key}.example.org/",
        "ftp://console.example.org/{key}",
        "https://console.example.org/{key}/{key}",
        "https://me:canary@console.example.org/{key}",
        "https://console.example.org/a b/{key}",
        "https://console.example.org/(a)/{key}",
    ],
)
def test_what_is_no_page_of_objects_is_refused_without_what_it_holds(url: str) -> None:
    with pytest.raises(SettingsError, match="ONC_MIRROR_BROWSE_URL") as refused:
        settings(url)

    assert "canary" not in str(refused.value)
