"""Shards to batches: one preprocessing spec, the DALI engine, the CPU engine, exact epochs."""

from arttl.loading.batch import Batch
from arttl.loading.engines import Engine
from arttl.loading.loader import Loader
from arttl.loading.opening import open_loader
from arttl.loading.preprocess import Augment, Preprocess
from arttl.loading.remote import read_manifest

__all__ = ["Augment", "Batch", "Engine", "Loader", "Preprocess", "open_loader", "read_manifest"]
