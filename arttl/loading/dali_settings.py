"""How DALI decodes; apart from the engine, which imports DALI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from arttl.settings import Bound, Range, Settings


@dataclass(frozen=True, kw_only=True)
class DaliSettings(Settings):
    """How the engine `dali-gpu` decodes; `dali-cpu` uses `prefetch` alone. Commands use the defaults."""

    hw_decoder_load: Annotated[float, Bound("between 0 and 1", lambda value: 0 <= value <= 1)] = 0.65
    """Share of a batch's JPEGs that the card's JPEG engine decodes, where it has one (A100, H100 and newer); the others
    are decoded by CUDA cores, with their Huffman codes on `threads` of the CPU. DALI's default. More leaves the CPU to
    other work, and may be faster where the card has several such engines."""
    fancy_upsampling: bool = True
    """Whether chroma is interpolated as libjpeg does it, and so the `cpu` engine. DALI's default is the nearest value,
    which differs from it by 0.6 grey levels on average."""
    preallocated_side: Annotated[int, Range(0, 8192)] = 1024
    """The JPEG engine's memory is allocated at the start for pictures of up to so many pixels on a side, or as many as
    the largest of the collection has: an allocation in an epoch stalls the card. 1,024 take 3 MB per picture of a batch
    and cover what packing stores by default; for larger ones DALI allocates more when they come."""
    prefetch: Annotated[int, Range(1, 16)] = 2
    """Batches that DALI has at a time: one that the caller waits for or uses, the others being decoded. More even out
    batches of unequal pictures, and take the memory of a batch and of its decoded pictures each."""
