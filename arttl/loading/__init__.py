"""Shards to batches: one preprocessing spec, the DALI engine, the CPU engine, exact epochs.

The names are imported when they are first used, so that settings (`arttl.loading.settings`) load no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arttl.lazy_names import lazy_names

if TYPE_CHECKING:
    from arttl.loading.batch import Batch as Batch
    from arttl.loading.engines import Engine as Engine
    from arttl.loading.loader import Loader as Loader
    from arttl.loading.opening import open_loader as open_loader
    from arttl.loading.preprocess import Augment as Augment
    from arttl.loading.preprocess import Preprocess as Preprocess
    from arttl.loading.remote import read_manifest as read_manifest

_HOME = {
    "Augment": "arttl.loading.preprocess",
    "Batch": "arttl.loading.batch",
    "Engine": "arttl.loading.engines",
    "Loader": "arttl.loading.loader",
    "Preprocess": "arttl.loading.preprocess",
    "open_loader": "arttl.loading.opening",
    "read_manifest": "arttl.loading.remote",
}
__all__ = sorted(_HOME)
__getattr__ = lazy_names(__name__, _HOME)
