"""`rijksgt.mat`, the Rijksmuseum Challenge's ground truth, in both generations of MATLAB files.

The struct `gt` has a row for each of the N pictures, sorted by file name (Mensink and Van Gemert, ICMR 2014, and the
challenge's own `rijks_load.m`): `set` (1 train, 2 val, 3 test), `C` (creator, an index into `Cnames` from 1), `T` and
`M` (types and materials, N x Q, above 0 where the picture has the label of `Tnames`, `Mnames`), `Y` (first and last
year). The last two creators are anonymous and unknown.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arttl.documents import parse_json
from arttl.errors import ArttlError, one_line
from arttl.processes import ProcessDied, limit_memory, output_of
from arttl.records.reading import readable

_SETS = {1: "train", 2: "val", 3: "test"}
_INSTALL = "reading it needs the extra 'rijks': pip install 'arttl[rijks]'"
# What reading a file may take: deflate packs a thousand bytes into one.
_MEMORY, _MEMORY_PER_BYTE, _MOST_MEMORY = 512 << 20, 1_000, 8 << 30
_SECONDS, _SECONDS_PER_MIB = 5, 10  # of processor time, of which imports take one
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"  # after a header of 512 bytes in a MATLAB 7.3 file


@dataclass(frozen=True)
class GroundTruth:
    """The ground truth, a row per picture.

    Attributes:
        splits: train, val or test.
        creators: at most one name; none for anonymous and unknown.
        types, materials: any number of names.
        years: first and last year.
    """

    splits: list[str]
    creators: list[tuple[str, ...]]
    types: list[tuple[str, ...]]
    materials: list[tuple[str, ...]]
    years: list[tuple[float, ...]]


@dataclass(frozen=True)
class _Outcome:
    """What the process that reads the file has to say."""

    truth: GroundTruth | None
    error: str = ""


def read_ground_truth(path: Path) -> GroundTruth:
    """Read the file, in a process with limits: a damaged one makes SciPy and HDF5 run for ever, or crash.

    Raises:
        ArttlError: if it is missing, or not such a file, or what reads it is not installed.
    """
    with readable(path, "--ground-truth"):  # a pipe would be waited for
        size = path.stat().st_size
    try:
        output = output_of(__name__, [str(path.absolute())], _seconds(size))
    except ProcessDied as died:
        raise ArttlError(
            f"--ground-truth {path} is damaged ({died.event} reading it): download it again"
        ) from died
    outcome = parse_json(output, _Outcome, f"--ground-truth {path}", finite=False)
    if outcome.truth is None:
        raise ArttlError(outcome.error)
    return outcome.truth


def main() -> None:
    """Print the ground truth in the file that is named as the argument; what it makes of a library ends here."""
    path = Path(sys.argv[1])
    size = path.stat().st_size
    limit_memory(min(_MEMORY + _MEMORY_PER_BYTE * size, _MOST_MEMORY))
    try:
        outcome = _Outcome(ground_truth_in(path))
    except ArttlError as error:
        outcome = _Outcome(None, str(error))
    print(json.dumps(asdict(outcome)))


def _seconds(size: int) -> int:
    return _SECONDS + _SECONDS_PER_MIB * (size >> 20)


def ground_truth_in(path: Path) -> GroundTruth:
    """Read the file in this process.

    Raises:
        ArttlError: as for `read_ground_truth`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(520)
        fields = _read_hdf5(path) if _HDF5_SIGNATURE in (head[:8], head[512:520]) else _read_matlab5(path)
        return _ground_truth(fields)
    except ImportError as error:
        raise ArttlError(f"--ground-truth {path}: {_INSTALL} ({error.name} is missing)") from error
    except OSError as error:
        raise ArttlError(f"--ground-truth {path} cannot be read: {error.strerror or error}") from error
    except ArttlError:
        raise
    except Exception as error:  # both libraries raise nearly anything on damaged files
        raise ArttlError(
            f"--ground-truth {path} is not the challenge's rijksgt.mat: {one_line(error)}"
        ) from error


def _ground_truth(fields: dict[str, Any]) -> GroundTruth:
    sets = np.asarray(fields["set"]).ravel().astype(int)
    count = len(sets)
    creators = np.asarray(fields["C"]).ravel().astype(int)
    years = np.asarray(fields["Y"], dtype=np.float64)
    names = fields["Cnames"]
    if not count or len(creators) != count or years.shape != (count, 2) or not set(sets) <= set(_SETS):
        raise ValueError("set, C and Y do not fit each other")
    if creators.min() < 1 or creators.max() > len(names):
        raise ValueError("C holds creators that Cnames does not name")
    return GroundTruth(
        splits=[_SETS[number] for number in sets.tolist()],
        # Anonymous and unknown are the last two of the list.
        creators=[(names[number - 1],) if number <= len(names) - 2 else () for number in creators.tolist()],
        types=_several(fields["T"], fields["Tnames"], count),
        materials=_several(fields["M"], fields["Mnames"], count),
        years=[tuple(pair) for pair in years.tolist()],
    )


def _several(table: Any, names: list[str], count: int) -> list[tuple[str, ...]]:
    """The names of each row's entries above 0, of an [N, Q] array or a pair of index arrays with its shape."""
    if isinstance(table, tuple):
        rows, columns, shape = table
    else:
        shape = table.shape
        rows, columns = np.nonzero(table > 0)
    if shape != (count, len(names)):
        raise ValueError(f"a table of labels is {shape[0]} x {shape[1]}, not {count} x {len(names)}")
    for numbers, end in ((rows, count), (columns, len(names))):
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < end:
            raise ValueError("a table of labels has entries outside of it")
    labels: list[list[str]] = [[] for _ in range(count)]
    for row, column in sorted(zip(rows.tolist(), columns.tolist(), strict=True)):
        labels[row].append(names[column])
    return [tuple(row_labels) for row_labels in labels]


def _read_matlab5(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.sparse import issparse

    gt = loadmat(path, variable_names=["gt"])["gt"][0, 0]
    fields: dict[str, Any] = {}
    for name in ("set", "C", "Y", "T", "M"):
        value = gt[name]
        if issparse(value):
            entries = value.tocoo()
            kept = entries.data > 0
            value = (entries.row[kept], entries.col[kept], entries.shape)
        fields[name] = value
    for name in ("Cnames", "Tnames", "Mnames"):
        fields[name] = [str(cell[0]) if cell.size else "" for cell in gt[name].ravel()]
    return fields


def _read_hdf5(path: Path) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        gt = _own(file, "gt")
        fields: dict[str, Any] = {}
        for name in ("set", "C", "Y", "T", "M"):
            member = _own(gt, name)
            if isinstance(member, h5py.Group):  # a sparse matrix, by columns
                rows, pointers = (_own(member, part)[()].astype(np.int64) for part in ("ir", "jc"))
                columns = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
                kept = _own(member, "data")[()] > 0
                shape = (int(member.attrs["MATLAB_sparse"]), len(pointers) - 1)
                fields[name] = (rows[kept], columns[kept], shape)
            else:
                fields[name] = member[()].T  # MATLAB stores columns first
        for name in ("Cnames", "Tnames", "Mnames"):
            references = _own(gt, name)[()].ravel()
            fields[name] = [_string(file[reference]) for reference in references]
        return fields


def _own(group: Any, name: str) -> Any:
    """A member that is in this file itself: HDF5 would follow links to, and data in, any file that it names."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link or not there")
    return _without_outside_data(group[name])


def _without_outside_data(member: Any) -> Any:
    import h5py

    if isinstance(member, h5py.Dataset) and (member.external or member.is_virtual):
        raise ValueError(f"{member.name} lies in another file")
    return member


def _string(member: Any) -> str:
    """A MATLAB char array: UTF-16 units; an empty one is stored as its shape."""
    member = _without_outside_data(member)
    if member.attrs.get("MATLAB_empty", 0):
        return ""
    units = member[()].ravel().astype("<u2")
    return bytes(units.tobytes()).decode("utf-16-le", "replace")
