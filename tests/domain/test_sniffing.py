from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onc_mirror.model import HDF5_SIGNATURE
from onc_mirror.transfer.sniffing import SNIFFED_BYTES, impostor

PAGE = b"<!DOCTYPE html>\n<html><head><title>Down for maintenance</title></head></html>"
ERROR = b'{"errors":[{"errorCode":96,"errorMessage":"Archive file does not exist","parameter":"filename"}]}'
GZIPPED = gzip.compress(b"x" * 100)


@pytest.mark.parametrize("extension", ["hdf5", "h5", "hld", "txt", "png", "json", "gz", ""])
@pytest.mark.parametrize(
    "page",
    [
        PAGE,
        PAGE.lower(),
        b"\xef\xbb\xbf\r\n  " + PAGE,
        b"<html lang='en'>",
        b"<HTML>\n",
        b"<body>oops",
        b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">',
        b"<!-- proxy 17 -->\n<!-- node 3 --> <html>",
    ],
    ids=range(8),
)
def test_web_page_is_refused_in_place_of_anything(page: bytes, extension: str) -> None:
    assert impostor(page, extension) == "an HTML page"


@pytest.mark.parametrize("extension", ["hdf5", "hld", "txt", "png", ""])
def test_gzip_is_refused_in_place_of_what_is_not_gzip(extension: str) -> None:
    assert impostor(GZIPPED, extension) == "a gzip file"


@pytest.mark.parametrize("extension", ["hdf5", "h5", "hld", "raw", "png", ""])
@pytest.mark.parametrize("json", [ERROR, b"{}", b"\n[]", b'[{"a": 1}]', b"[[1]]"[:2] + b"]"], ids=range(5))
def test_json_is_refused_in_place_of_binary_data(json: bytes, extension: str) -> None:
    expected = None if json == b"[[]" else "a JSON document"

    assert impostor(json, extension) == expected


@pytest.mark.parametrize(
    ("head", "extension"),
    [
        (HDF5_SIGNATURE + bytes(100), "hdf5"),
        (bytes(512) + HDF5_SIGNATURE, "hdf5"),
        (b"a user block" + bytes(500) + HDF5_SIGNATURE, "hdf5"),
        (HDF5_SIGNATURE, "txt"),
        (ERROR, "txt"),
        (ERROR, "json"),
        (b"{}", "csv"),
        (b"<html>is what the operator typed at 12:00", "html"),
        (b"2021-10-11T00:00:00.000Z <html>", "txt"),
        (b"<htmlish>", "txt"),
        (b"\x1f\x8b\x08 but with reserved flags"[:3] + b"\xe0", "hld"),
        (GZIPPED, "gz"),
        (GZIPPED, "tgz"),
        (b'{"\x00\x01\x02', "hld"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"", "hdf5"),
    ],
    ids=range(16),
)
def test_what_may_be_the_file_is_let_through(head: bytes, extension: str) -> None:
    assert impostor(head, extension) is None


@settings(deadline=None)
@given(st.binary(max_size=SNIFFED_BYTES))
def test_hdf5_is_never_refused(rest: bytes) -> None:
    assert impostor(HDF5_SIGNATURE + rest, "hdf5") is None


def test_long_comment_does_not_take_long() -> None:
    assert impostor(b"<!--" * (SNIFFED_BYTES // 4), "txt") is None
