"""Why a picture is refused."""

from __future__ import annotations

import pytest

from arttl.picture_headers.bad_pictures import BadPicture
from arttl.pictures.decoding import decode_picture


def refused(data: bytes) -> tuple[str, str]:
    """Reason and detail of the refusal of a picture's bytes."""
    with pytest.raises(BadPicture) as caught:
        decode_picture(data)
    return caught.value.reason, caught.value.detail
