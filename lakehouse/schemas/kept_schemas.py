"""Schemas as small files in the lake, so that bronze can be read again when there is no registry any more.

One that is there never changes, and whoever writes it writes the same. So Spark's workers and the background process write without a lock,
which no table could take. Each is replaced at once, as a rename does, so nobody reads half of one.
"""

import os
import re
from hashlib import blake2b

from pyarrow.fs import FileSystem, FileType, LocalFileSystem

from lakehouse.machine import local_folder
from lakehouse.schemas.schema import Schema

FOLDER = "_schemas"  # in the lake


class KeptSchemas:
    """Those of one registry: another one gives the same id to something else."""

    def __init__(self, root: str, registry: str) -> None:
        """`root`: of the lake. `registry`: its address."""
        local = local_folder(root)
        if local is None:
            self._files, path = FileSystem.from_uri(re.sub(r"^s3[an]:", "s3:", root))
        else:
            self._files, path = LocalFileSystem(), str(local)
        self._folder = f"{path.rstrip('/')}/{FOLDER}/{_name(registry)}"

    def of_id(self, number: int) -> Schema | None:
        return self._read(f"id-{number}.json")

    def of_version(self, subject: str, version: int) -> Schema | None:
        return self._read(f"{_name(subject)}-{version}.json")

    def keep_id(self, number: int, schema: Schema) -> None:
        self._write(f"id-{number}.json", schema)

    def keep_version(self, subject: str, version: int, schema: Schema) -> None:
        self._write(f"{_name(subject)}-{version}.json", schema)

    def _read(self, name: str) -> Schema | None:
        path = f"{self._folder}/{name}"
        if self._files.get_file_info(path).type != FileType.File:
            return None
        with self._files.open_input_stream(path) as file:
            return Schema.read(file.read())

    def _write(self, name: str, schema: Schema) -> None:
        part = f"{self._folder}/{name}.{os.getpid()}.part"
        self._files.create_dir(self._folder, recursive=True)
        with self._files.open_output_stream(part) as file:
            file.write(schema.written())
        self._files.move(part, f"{self._folder}/{name}")


def _name(text: str) -> str:
    """A name for a file: what can be read of the text, and what tells it from every other."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", text.rpartition("://")[2]).strip("_.")
    return f"{readable[:80]}-{blake2b(text.encode(), digest_size=4).hexdigest()}"
