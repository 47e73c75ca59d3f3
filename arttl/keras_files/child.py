"""The process that reads the structure of a file of Keras, and prints it as JSON (`arttl.keras_files.weights`).

Whatever the file makes of libhdf5, a crash or a request for memory, ends here.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from arttl.errors import ArttlError
from arttl.keras_files.archive import KerasArchive
from arttl.keras_files.hdf5 import KerasFile, LegacyFile
from arttl.keras_files.listing import Listing
from arttl.processes import limit_memory

MEMORY = 512 << 20
"""Bytes, of which Python, NumPy and h5py take a quarter."""
_ZIP = b"PK\x03\x04"


def listing_of(path: Path) -> Listing:
    """What a file holds, its form told by its first bytes.

    Raises:
        ArttlError: if it cannot be read as a file of Keras.
    """
    with path.open("rb") as file:
        # A zip that was cut off has lost the directory at its end, but not its beginning.
        is_zip = file.read(len(_ZIP)) == _ZIP
    reader: KerasFile = KerasArchive(path) if is_zip else LegacyFile(path)
    return reader.listing()


def main() -> None:
    """Print the listing of the file that is named as the argument."""
    path = Path(sys.argv[1])
    limit_memory(MEMORY)
    try:
        listing = listing_of(path)
    except ArttlError as error:
        listing = Listing({}, str(error))
    except MemoryError:
        listing = Listing(
            {}, f"{path} is damaged: its structure takes more than {MEMORY >> 20} MiB of memory"
        )
    # A path may hold bytes that are no text.
    sys.stdout.buffer.write(
        json.dumps(asdict(listing), ensure_ascii=False).encode("utf-8", "backslashreplace")
    )
