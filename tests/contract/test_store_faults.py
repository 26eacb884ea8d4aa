"""What a mirror says when the store is not there, not one, or does not keep what it was given."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from onc_mirror.errors import SettingsError, StoreCredentialsError, StoreUnavailableError
from onc_mirror.store import open_store
from tests.support.faulty_s3 import FaultyS3, faulty_s3
from tests.support.raw_server import raw_server, unused_url
from tests.support.stores import Endpoint, fetched, many_bytes, store_settings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.raw_server import Request

KEY = "raw/D/2021/05/03/a.hdf5"
URL = "s3://bucket"


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    with faulty_s3(FaultyS3()) as endpoint:
        Endpoint(endpoint.url).use(monkeypatch)
        yield endpoint


def test_good_store_is_not_accused(faults: FaultyS3, tmp_path: Path) -> None:
    with open_store(store_settings(URL)) as store:
        store.publish(KEY, fetched(tmp_path, b"good"), {})

    assert [body for body, _ in faults.objects.values()] == [b"good"]
    assert [request.split()[0] for request in faults.requests] == ["PUT", "HEAD"]


def test_a_new_object_costs_a_look_a_write_and_its_proof(faults: FaultyS3, tmp_path: Path) -> None:
    with open_store(store_settings(URL)) as store:
        store.look()
        faults.requests.clear()
        for name in "ab":
            assert store.head(KEY + name) is None
            store.publish(KEY + name, fetched(tmp_path, b"good"), {})

    assert [request.split()[0] for request in faults.requests] == ["HEAD", "PUT", "HEAD"] * 2


@pytest.mark.parametrize("spoil", [lambda body: body[:-1], lambda body: b"x" + body[1:]], ids=["short", "flipped"])
def test_wrong_bytes_do_not_stay_under_the_key(
    faults: FaultyS3, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    faults.spoil = spoil

    with open_store(store_settings(URL)) as store:
        with pytest.raises(StoreUnavailableError, match="given") as failure:
            store.publish(KEY, fetched(tmp_path, b"good"), {})
        assert store.head(KEY) is None

    assert KEY in str(failure.value)


def test_tags_that_are_no_md5_are_not_taken_for_wrong_bytes(faults: FaultyS3, tmp_path: Path) -> None:
    numbers = itertools.count()
    faults.tag = lambda _: f"opaque-{next(numbers)}"

    with open_store(store_settings(URL)) as store:
        store.publish(KEY, fetched(tmp_path, b"good"), {})

    assert [request.split()[0] for request in faults.requests] == ["PUT", "HEAD", "GET"]


def test_fault_of_the_server_is_tried_again_and_then_told(faults: FaultyS3, tmp_path: Path) -> None:
    faults.status = 503

    with (
        open_store(store_settings(URL, quick_retries=2)) as store,
        pytest.raises(StoreUnavailableError, match="busy") as failure,
    ):
        store.publish(KEY, fetched(tmp_path, b"x"), {})

    assert len(faults.requests) == 3
    assert (failure.value.status, failure.value.retry_after_s) == (503, 7.0)


def test_web_page_in_place_of_a_store_is_named_as_such(faults: FaultyS3) -> None:
    faults.status, faults.body = 200, b"<!doctype html><html><p>Prefect & friends</html>"

    with (
        open_store(store_settings(URL)) as store,
        pytest.raises(StoreUnavailableError, match="AWS_ENDPOINT_URL"),
    ):
        list(store.list(""))

    assert faults.requests


def test_dead_endpoint_fails_fast_and_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = unused_url().rstrip("/")
    Endpoint(url).use(monkeypatch)
    file = fetched(tmp_path, b"x")
    began = time.monotonic()

    with open_store(store_settings(URL)) as store:
        for attempt in (lambda: store.head(KEY), lambda: store.publish(KEY, file, {}), lambda: list(store.list(""))):
            with pytest.raises(StoreUnavailableError, match="cannot be reached; check AWS_ENDPOINT_URL") as failure:
                attempt()
            assert f"bucket bucket at {url}" in str(failure.value)

    assert time.monotonic() - began < 15


@pytest.mark.parametrize("first_words", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["silent", "reads-no-further"])
def test_store_that_takes_no_more_bytes_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first_words: bytes
) -> None:
    over = threading.Event()

    def handle(_: Request, connection: socket.socket) -> None:
        connection.sendall(first_words)
        over.wait()

    file = fetched(tmp_path, many_bytes(32 * 2**20))
    with raw_server(handle) as server:
        Endpoint(server.url.rstrip("/")).use(monkeypatch)
        settings = store_settings(URL, stall_timeout_s=1, quick_retries=0, multipart_bytes=64 * 2**20)
        with open_store(settings) as store, pytest.raises(StoreUnavailableError, match="went silent"):
            store.publish(KEY, file, {})
        over.set()
        assert server.requests


@pytest.mark.parametrize(("goes", "text"), [(True, "closed the connection"), (False, "went silent")], ids=str)
def test_object_that_stops_coming_is_an_error_and_no_short_file(
    monkeypatch: pytest.MonkeyPatch, *, goes: bool, text: str
) -> None:
    over = threading.Event()

    def handle(_: Request, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\nETag: x\r\n\r\n" + b"x" * 1_500_000)
        if not goes:
            over.wait()
        connection.close()

    with raw_server(handle) as server:
        Endpoint(server.url.rstrip("/")).use(monkeypatch)
        with open_store(store_settings(URL, stall_timeout_s=1)) as store, store.open(KEY) as stored:
            assert stored.read(1000) == b"x" * 1000
            with pytest.raises(StoreUnavailableError, match=text):
                stored.read()
        over.set()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody has heard of, and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return path


def test_certificate_counts_when_the_bundle_of_the_environment_has_it(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = fetched(tmp_path, b"good")
    with faulty_s3(FaultyS3(), certificate) as endpoint:
        Endpoint(endpoint.url).use(monkeypatch, AWS_CA_BUNDLE=str(certificate))
        with open_store(store_settings(URL)) as store:
            assert store.publish(KEY, file, {}).size_bytes == 4

        monkeypatch.delenv("AWS_CA_BUNDLE")
        with open_store(store_settings(URL)) as store, pytest.raises(StoreUnavailableError, match="AWS_CA_BUNDLE"):
            store.publish(KEY, file, {})

        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "no-such-file"))
        with open_store(store_settings(URL)) as store, pytest.raises(SettingsError, match="AWS_CA_BUNDLE"):
            store.publish(KEY, file, {})


def test_missing_credentials_are_named_as_such(faults: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    # Where botocore would look next.
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with (
        open_store(store_settings(URL)) as store,
        pytest.raises(StoreCredentialsError, match="set AWS_ACCESS_KEY_ID"),
    ):
        store.head(KEY)

    assert not faults.requests
