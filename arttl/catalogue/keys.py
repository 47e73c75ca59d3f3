"""Keys that are an object's own: objects of several institutions apart, rows of one object and picture together."""

from __future__ import annotations

import numpy as np

from arttl.artworks import sample_key
from arttl.catalogue.catalogue import Catalogue
from arttl.catalogue.duplicates import merged
from arttl.errors import ArttlError, counted
from arttl.pictures.picture_file import PictureFile
from arttl.shards.rejects import Reject
from arttl.splits.split import Rows


def keep_apart(catalogue: Catalogue, *, own_groups: bool) -> tuple[str, ...]:
    """Give objects of one number in several institutions keys and groups of their own, and say so.

    Args:
        catalogue: of all artworks.
        own_groups: whether a group is an object or its leaves, rather than what the metadata put together.
    """
    rows, museums = catalogue.institutions.entries(np.arange(len(catalogue)))
    # Leaves of one object have keys of their own, and share a group.
    hashes = catalogue.group_hashes() if own_groups else catalogue.key_hashes()
    pairs = np.unique(np.stack([hashes[rows], museums.astype(np.uint64)], 1), axis=0)
    numbers, counts = np.unique(pairs[:, 0], return_counts=True)
    shared = numbers[counts > 1]
    if not len(shared):
        return ()
    is_shared = np.isin(hashes[rows], shared)
    first = int(rows[is_shared][0])
    names = {
        catalogue.institutions.names[museum] for museum in pairs[pairs[:, 0] == hashes[first], 1].tolist()
    }
    for row in rows[is_shared].tolist():
        artwork = catalogue.job(row).artwork
        number, group, museum = artwork.object_number, artwork.group, artwork.institution or ""
        apart = f"{museum}: {group or number}" if own_groups else None
        catalogue.rename(row, sample_key(number, part=museum), apart, keep_group=group is not None)
    return (
        f"several institutions have objects of one number, {len(shared):,} in all, such as"
        f" {catalogue.job(first).artwork.object_number} ({', '.join(sorted(names)[:3])}): they are kept apart, as"
        " objects of their own",
    )


def with_unique_keys(catalogue: Catalogue, rejects: list[Reject]) -> tuple[Rows, tuple[str, ...]]:
    """Make keys unique; the rows except those that repeat another, which gets their labels, and a warning on these."""
    hashes = catalogue.key_hashes()
    order = np.argsort(hashes, kind="stable")
    starts = np.flatnonzero(np.diff(hashes[order], prepend=hashes[order][:1] + np.uint64(1)))
    repeated: dict[int, int] = {}
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        if end - start > 1:
            repeated |= _rename(catalogue, order[start:end].tolist())
    rows = np.setdiff1d(np.arange(len(catalogue)), np.array(list(repeated), dtype=np.int64))
    if len(np.unique(catalogue.key_hashes()[rows])) < len(rows):
        raise ArttlError(
            "two artworks get the same key, since the object number of one is the key that another was given;"
            " number it otherwise"
        )
    lost: list[Reject] = []
    for row, first in sorted(repeated.items()):
        other = catalogue.job(row)
        job, detail, is_lost = merged(
            catalogue.job(first), other, "the same object number and image as an earlier row"
        )
        catalogue.replace(first, job)
        rejects.append(other.reject("duplicate-row", detail))
        lost += rejects[-1:] if is_lost else []
    if not lost:
        return rows, ()
    return rows, (
        f"warning: {counted(len(lost), 'row repeats', 'rows repeat')} an earlier row with other labels, which are left"
        f" out, such as those of object {lost[0].object_number!r} ({lost[0].detail}); several labels of an object"
        " belong into one cell (--label-separator), and objects of their own need numbers of their own"
        " (--object-number)",
    )


def _rename(catalogue: Catalogue, rows: list[int]) -> dict[int, int]:
    """Rename rows of one key, except the first, and return those that repeat an earlier one, with that."""
    identities: dict[str, tuple[str, PictureFile]] = {}
    firsts: dict[str, int] = {}
    repeated = {}
    for row in rows:
        job = catalogue.job(row)
        number, key = job.artwork.object_number, job.artwork.key
        identity = (number, PictureFile.of(job.artwork))
        if identities.get(key, identity) != identity:
            key = sample_key(number[:60], part=f"{number}\n{job.file}")
        if key not in identities:
            if key != job.artwork.key:
                catalogue.rename(row, key)
            identities[key], firsts[key] = identity, row
        elif identities[key] == identity:
            repeated[row] = firsts[key]
        else:
            raise ArttlError(
                f"object {number!r} has two images that metadata name {job.file!r}; give one another name"
            )
    return repeated
