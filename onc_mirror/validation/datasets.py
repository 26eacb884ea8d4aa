"""The structure of one dataset: header, type, shape, filters, and where its data lie, without reading them."""

from __future__ import annotations

from typing import Any

import h5py
from h5py import h5d

from onc_mirror.validation.findings import text_of
from onc_mirror.validation.messages import meaning
from onc_mirror.validation.reasons import FlawError, Reason

_LAYOUTS = {h5d.COMPACT: "compact", h5d.CONTIGUOUS: "contiguous", h5d.CHUNKED: "chunked", h5d.VIRTUAL: "virtual"}
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
_SAME_FILE = "."


def check_dataset(dataset: Any, path: str, size: int) -> tuple[dict[str, Any], bool]:
    """Check the structure of a dataset.

    Args:
        dataset: Open, low level.
        path: For messages.
        size: Bytes of the file; nothing may lie behind them.

    Returns:
        A JSON-ready description, and whether its data are in the dataset itself (a virtual dataset over datasets
        of its own file has none).

    Raises:
        FlawError: Its data lie in other files, or behind the end of this one.
    """
    plan = dataset.get_create_plist()
    layout = plan.get_layout()
    described: dict[str, Any] = {
        "path": path,
        "dtype": _dtype_name(dataset),
        "layout": _LAYOUTS.get(layout, str(layout)),
    }
    if layout == h5d.VIRTUAL:  # not even its shape is asked for: that can make libhdf5 open the sources
        _refuse_sources(plan, path)
        return described, False
    shape = dataset.shape
    described["shape"] = None if shape is None else list(shape)
    if plan.get_external_count():
        name = text_of(plan.get_external(0)[0])
        raise FlawError(Reason.EXTERNAL_STORAGE, f"{path} keeps its data in {name!r}, which was not opened.")
    if layout == h5d.CHUNKED:
        described["chunk"] = list(plan.get_chunk())
        described["chunks"] = _count_chunks(dataset, path, size)
        described["filters"] = filter_names(plan)
    elif dataset.get_offset() is not None:
        _refuse_outside(path, dataset.get_offset(), dataset.get_storage_size(), size)
    return described, True


def filter_names(plan: Any) -> list[str]:
    """Return the filters of a dataset in the order in which they were applied on writing."""
    codes = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    return [_FILTERS.get(code, str(code)) for code in codes]


def dtype_of(dataset: Any) -> Any | None:
    """Return the numpy type of a dataset's elements, or None when h5py knows no equivalent."""
    try:
        return dataset.dtype
    except TypeError as error:
        if meaning(error) is not Reason.UNKNOWN_TYPE:
            raise
        return None


def _dtype_name(dataset: Any) -> str:
    dtype = dtype_of(dataset)
    if dtype is None:
        return "unknown"
    if h5py.check_string_dtype(dtype) is not None:
        return "str"
    if (base := h5py.check_vlen_dtype(dtype)) is not None:
        return f"vlen({base})"[:200]
    if (reference := h5py.check_ref_dtype(dtype)) is not None:
        return str(reference.__name__)
    return str(dtype)[:200]


def _refuse_sources(plan: Any, path: str) -> None:
    for index in range(plan.get_virtual_count()):
        name = plan.get_virtual_filename(index)
        if name != _SAME_FILE:
            raise FlawError(Reason.VIRTUAL_SOURCE, f"{path} is a view of {name!r}, which was not opened.")


def _count_chunks(dataset: Any, path: str, size: int) -> int:
    count = 0

    def on_chunk(chunk: Any) -> tuple[int, int] | None:
        nonlocal count
        count += 1
        return None if _is_inside(chunk.byte_offset, chunk.size, size) else (chunk.byte_offset, chunk.size)

    # What a callback returns ends the iteration; an exception raised in it does not come out of h5py whole.
    if outside := dataset.chunk_iter(on_chunk):
        _refuse_outside(path, outside[0], outside[1], size)
    return count


def _is_inside(begin: int, length: int, size: int) -> bool:
    return begin + length <= size


def _refuse_outside(path: str, begin: int, length: int, size: int) -> None:
    if not _is_inside(begin, length, size):
        raise FlawError(
            Reason.BROKEN_STRUCTURE,
            f"{path}: {length} bytes of data should begin at byte {begin}, but the file has {size} bytes.",
        )
