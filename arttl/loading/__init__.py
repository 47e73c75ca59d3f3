"""Shards to batches: one preprocessing spec, the DALI engine, the CPU engine, exact epochs."""

from arttl.loading.loader import Batch, EngineName, Loader, open_loader
from arttl.loading.preprocess import Augment, Preprocess

__all__ = ["Augment", "Batch", "EngineName", "Loader", "Preprocess", "open_loader"]
