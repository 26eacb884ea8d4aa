"""How a large file is divided, and what importing the store costs."""

from __future__ import annotations

import itertools
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from onc_mirror.store.multipart import MAX_PARTS, split

MIB = 2**20
LEAST_BYTES = 5 * MIB
MOST_BYTES = 5 * 2**30


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, MAX_PARTS * MOST_BYTES), part_bytes=st.integers(LEAST_BYTES, 512 * MIB))
def test_parts_cover_any_file_and_are_what_every_store_takes(size: int, part_bytes: int) -> None:
    parts = split(size, part_bytes)

    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert len(parts) <= MAX_PARTS
    assert parts[0].begin == 0
    assert all(left.begin + left.size == right.begin for left, right in itertools.pairwise(parts))
    assert parts[-1].begin + parts[-1].size == size
    assert all(LEAST_BYTES <= part.size <= MOST_BYTES for part in parts[:-1])
    assert len({part.size for part in parts[:-1]}) <= 1


def test_client_of_s3_is_imported_only_for_s3() -> None:
    script = (
        "import sys, onc_mirror.store, onc_mirror.store.checking, onc_mirror.store.files\n"
        "print({'s3fs', 'fsspec', 'botocore', 'aiohttp', 'asyncio'} & set(sys.modules) or 'light')"
    )

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert run.stdout == "light\n"
