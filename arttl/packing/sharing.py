"""Pictures that several objects name: those left out, and what to warn of."""

from __future__ import annotations

import numpy as np

from arttl.errors import ArttlError, counted
from arttl.matching.claims import Claims, Contest
from arttl.packing.catalogue import Catalogue
from arttl.shards.rejects import Reject
from arttl.splits.split import Rows

_EXAMPLES = 3


def without_contested(
    claims: Claims, catalogue: Catalogue, rows: Rows, rejects: list[Reject]
) -> tuple[Rows, tuple[str, ...]]:
    """Leave out the artworks whose picture is more exactly that of another object, or as likely so.

    Args:
        claims: of all artworks that were read.
        catalogue: of those that may be packed.
        rows: of those, ascending.
        rejects: get one for each artwork that is left out.

    Returns:
        The rows that stay, ascending, and warnings.

    Raises:
        ArttlError: if none stays.
    """
    left_out: dict[int, str] = {}
    shared: list[Contest] = []
    for contest in claims.contests():
        left_out |= _details(catalogue, contest)
        if contest.objects > 1 and contest.keeping:
            shared.append(contest)
    loses = np.isin(rows, np.array(list(left_out), dtype=np.int64))
    details = [catalogue.job(row).reject("ambiguous-picture", left_out[row]) for row in rows[loses].tolist()]
    if loses.all():
        raise ArttlError(
            f"no artwork has a picture of its own ({len(rows):,} in all), the first because of ambiguous-picture"
            f" ({details[0].detail})"
        )
    rejects += details
    return rows[~loses], _warnings(catalogue, shared)


def _details(catalogue: Catalogue, contest: Contest) -> dict[int, str]:
    """The reason for each row that loses its picture."""
    if not contest.losing:
        return {}
    of_others = _numbers(catalogue, contest.keeping if contest.objects else contest.losing)
    details = {}
    for row in contest.losing:
        job = catalogue.job(row)
        others = [f"object {number!r}" for number in of_others if number != job.artwork.object_number]
        named = " and ".join(others[:_EXAMPLES]) or "an object without labels"
        if contest.objects:
            details[row] = f"{job.file} is named more exactly by {named}"
        else:
            details[row] = f"{job.file} could as well be the picture of {named}; no name is exactly its own"
    return details


def _numbers(catalogue: Catalogue, rows: list[int]) -> list[str]:
    """Some object numbers of the rows."""
    return list(dict.fromkeys(catalogue.job(row).artwork.object_number for row in rows[: _EXAMPLES + 1]))


def _warnings(catalogue: Catalogue, shared: list[Contest]) -> tuple[str, ...]:
    """A sentence on the pictures that several objects have, if there are any."""
    if not shared:
        return ()
    examples = []
    for contest in sorted(shared, key=lambda contest: (-contest.objects, contest.keeping))[:_EXAMPLES]:
        numbers = _numbers(catalogue, contest.keeping)[:_EXAMPLES]
        numbers += ["..."] * (contest.objects > len(numbers))
        of = f" of {counted(contest.objects, 'object')}" if len(shared) > 1 else ""
        examples.append(f"{catalogue.job(contest.keeping[0]).file}{of} ({', '.join(numbers)})")
    objects = sum(contest.objects for contest in shared)
    pictures = "the picture" if len(shared) == 1 else f"{len(shared):,} pictures:"
    rest = ", ..." if len(shared) > _EXAMPLES else ""
    return (
        f"warning: {objects:,} objects share {pictures} {', '.join(examples)}{rest}; this is nearly always a matching"
        " fault: see --image",
    )
