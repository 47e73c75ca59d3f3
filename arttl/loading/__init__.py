"""Shards to batches: one preprocessing spec, the DALI engine and the CPU engine."""
