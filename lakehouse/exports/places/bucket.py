"""A file in an object store that speaks S3: written here, uploaded beside the object, and moved over it once all of it is there.

By Arrow's own client. It closes an upload that an error broke off, and the store then has what came by then as if it were all. So
nothing is ever uploaded under the name that readers know: they see the object of before until the store itself has copied the new one.
"""

import contextlib
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs

from lakehouse.actions.destinations import Bucket
from lakehouse.actions.private_addresses import refuse_private
from lakehouse.errors import ActionError, ExportError
from lakehouse.exports.places.files import WholeFile, part_of
from lakehouse.exports.places.place import Layout, away

_PIECE = 8 * 2**20
_MOST_BYTES = 5 * 2**30  # that a store copies by one request
_NOT_LET_IN = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "NO_SUCH_BUCKET")


class BucketPlace(WholeFile):
    """In a bucket, which must be there."""

    def __init__(self, destination: Bucket, into: str, *, timeout_seconds: float) -> None:
        """Raises ExportError: as `WholeFile`."""
        super().__init__(into)
        self._of, self._timeout = destination, timeout_seconds
        folder = "/".join(part for part in (destination.bucket, destination.prefix) if part)
        self._object, self._beside = f"{folder}/{into}", f"{folder}/{part_of(into)}"
        self._store: Any = None

    @property
    def where(self) -> str:
        """See `WholeFile`."""
        return f"destination {self._of.name}: s3://{self._object}"

    def open(self, layout: Layout, *, holds_rows: bool) -> None:
        """See `Place`."""
        self._refuse_private()
        self._store = self._connected()
        super().open(layout, holds_rows=holds_rows)

    def close(self) -> None:
        """See `Place`."""
        self._store = None

    def is_there(self) -> bool:
        """See `WholeFile`."""
        with self._speaking():
            return bool(self._store.get_file_info(self._object).type == fs.FileType.File)

    @contextmanager
    def part(self) -> Iterator[Path]:
        """See `WholeFile`."""
        with TemporaryDirectory(prefix="stitchlake-export-") as folder:
            try:
                yield Path(folder, self.into)
            except OSError as error:
                raise ExportError(
                    f"{folder}: cannot be written, got {type(error).__name__}, expected room for the file. Set TMPDIR"
                ) from error

    def put(self, part: Path) -> None:
        """See `WholeFile`."""
        size = part.stat().st_size
        if size > _MOST_BYTES:
            raise ExportError(
                f"{self.where}: got a file of {size} bytes, expected {_MOST_BYTES} at most, which the store can move. "
                "Export fewer rows, or as Parquet"
            )
        with self._speaking():
            try:
                with part.open("rb") as source, self._store.open_output_stream(self._beside) as there:
                    shutil.copyfileobj(source, there, _PIECE)
                if (came := self._store.get_file_info(self._beside).size) != size:
                    raise away(self.where, f"{came} bytes of {size}")
                self._store.move(self._beside, self._object)
            except BaseException:
                with contextlib.suppress(OSError):  # else the next run writes over it
                    self._store.delete_file(self._beside)
                raise

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if any(word in str(error) for word in _NOT_LET_IN):
                raise ExportError(
                    f"{self.where}: refuses us, expected a bucket and keys it knows. Mend destinations.yaml"
                ) from error
            raise away(self.where, type(error).__name__) from error

    def _connected(self) -> Any:
        one, keys = self._of, {}
        if one.access_key is not None and one.secret_key is not None:
            keys = {"access_key": one.access_key.get_secret_value(), "secret_key": one.secret_key.get_secret_value()}
        endpoint = None if one.endpoint is None else urlsplit(one.endpoint)
        place = {} if endpoint is None else {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme}
        return fs.S3FileSystem(
            region=one.region,
            connect_timeout=self._timeout,
            request_timeout=10 * self._timeout,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),  # the run tries again itself
            background_writes=False,
            allow_bucket_creation=False,
            **keys,
            **place,
        )

    def _refuse_private(self) -> None:
        one = self._of
        if one.endpoint is None or one.allow_private:
            return
        parts = urlsplit(one.endpoint)
        host, port = parts.hostname or "", parts.port or 443
        try:
            for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                refuse_private(str(found[4][0]), host)
        except ActionError as error:
            raise ExportError(str(error)) from error
        except OSError as error:
            raise away(self.where, f"no such host ({type(error).__name__})") from error
