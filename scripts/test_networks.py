"""Try every network of timm: that it gives features at its own input size, and what is said of a size it cannot take.

    python scripts/test_networks.py                     # all, some 1,400
    python scripts/test_networks.py vit_tiny resnet     # those whose names begin so

On demand, not in CI: it takes half an hour on one core. Networks are built on the meta device, without memory.
"""

from __future__ import annotations

import re
import sys
from collections import Counter

import timm
import torch

from arttl.errors import ArttlError
from arttl.models.backbones import Backbone, default_preprocess
from arttl.models.checks import check_input_size

SIZE = 33  # pixels: no multiple of a patch, and too small for some


def outcome(name: str) -> str:
    """What a network does, in a few words.

    Raises:
        AssertionError: if a refusal is not one sentence, or the size that it names is refused too.
        Exception: a bug of arttl's.
    """
    with torch.device("meta"):
        backbone = Backbone(name)
    try:
        check_input_size(backbone, default_preprocess(backbone).size)
    except ArttlError as error:
        assert re.fullmatch(
            r".* gives no features of a picture \(.*\): choose another --backbone", str(error)
        )
        return f"no features: {error}"
    _ = backbone.stages
    try:
        check_input_size(backbone, SIZE)
    except ArttlError as error:
        suggestion = re.fullmatch(r".* cannot take .* \(.*\): give --input-size (\d+)", str(error))
        assert suggestion, error
        check_input_size(backbone, int(suggestion[1]))
        return f"{SIZE} px refused"
    return f"{SIZE} px taken"


def main() -> None:
    """Try the networks that the command line names, and report counts, and all that failed."""
    starts = tuple(sys.argv[1:]) or ("",)
    counts: Counter[str] = Counter()
    for name in timm.list_models():
        if not name.startswith(starts):
            continue
        try:
            result = outcome(name)
        except Exception as error:
            result = f"failed: {type(error).__name__}: {error}"
        kind = result.partition(":")[0]
        counts[kind] += 1
        if kind != result:
            print(f"{name}: {result}", flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    if counts["failed"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
