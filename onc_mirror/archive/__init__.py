"""The Oceans 3.0 archive of Ocean Networks Canada: the only place that knows its API.

    port          what the mirror asks of it (`Archive`)
    client        the archive over HTTP (`OncArchive`)
    paging        a listing over all of its pages, and the proof that no row was lost between them
    rows          one row of a listing as an `ArchiveFile`, times in the archive's spelling
    availability  how many files there are, without a listing
    discovery     deployments, data products and devices as values
    transport     HTTP: one pool of kept connections, timeouts, errors as types
    wire          the bytes of a connection: how long one waits for them, how many one look may bring
    body          the body of an answer, and what can break meanwhile
    unzipping     gzip undone piece by piece
    parsing       JSON that costs no more memory than an honest answer
    answers       what an answer that is not 200 means

Importing this package is cheap: `transport`, and with it urllib3, is imported when an archive is opened.

Facts about the API: https://data.oceannetworks.ca/OpenAPI and the behaviour of ONC's own client 2.6.0.
"""

from __future__ import annotations

from onc_mirror.archive.availability import Counted
from onc_mirror.archive.client import OncArchive
from onc_mirror.archive.discovery import Deployment, KnownDevice, Product
from onc_mirror.archive.port import Archive

__all__ = ["Archive", "Counted", "Deployment", "KnownDevice", "OncArchive", "Product"]
