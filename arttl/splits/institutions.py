"""The rows of the museums that are left out for the test split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from arttl.characters import plain_text
from arttl.errors import ArttlError, did_you_mean
from arttl.splits.split import Rows


def rows_of_institutions(
    names: Sequence[str], numbers: Rows, institutions: tuple[str, ...]
) -> npt.NDArray[np.bool_]:
    """Which rows are of one of the institutions of `--test-institution`.

    Args:
        names: of institutions.
        numbers: [N] the index in `names` of each row's.
        institutions: compared as `plain_text` makes them.

    Returns:
        [N]

    Raises:
        ArttlError: for an institution that no row has, or that has another spelling, or if no row is of another.
    """
    known = [names[number] for number in np.unique(numbers).tolist()]
    institutions = tuple(map(plain_text, institutions))
    for institution in institutions:
        alike = [name for name in known if name != institution and name.casefold() == institution.casefold()]
        if institution in known and not set(alike) <= set(institutions):
            raise ArttlError(
                f"--test-institution {institution!r}: there is {alike[0]!r} too, which would be trained on; name both,"
                " or give them one name in the metadata"
            )
        if institution not in known:
            there = ", ".join(known) or "none, see --institution and --institution-column"
            raise ArttlError(
                f"--test-institution {institution!r}: no object is of this institution"
                f"{did_you_mean(institution, known)}; there are: {there}"
            )
    is_test = np.isin(numbers, [names.index(institution) for institution in institutions])
    if is_test.all():
        raise ArttlError(
            f"--test-institution names all institutions ({', '.join(known)}), which leaves no object to train on; leave"
            " one out"
        )
    return is_test
