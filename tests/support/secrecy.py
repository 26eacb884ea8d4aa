"""Looking for a secret in everything that an exception can print."""

from __future__ import annotations

import pickle
import traceback


def everything_printed(error: BaseException) -> str:
    """Return every text that printing, logging or pickling `error` can give: chain and our variables included."""
    texts = []
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is None:
            continue
        texts += [str(link), repr(link), repr(link.args), repr(vars(link))]
        texts += [
            repr(frame.f_locals)
            for frame, _ in traceback.walk_tb(link.__traceback__)
            if "/onc_mirror/" in frame.f_code.co_filename
        ]
        chain += [link.__cause__, link.__context__]
    texts += traceback.format_exception(error)
    texts.append(pickle.dumps(error).decode("latin-1"))
    return "\n".join(texts)
