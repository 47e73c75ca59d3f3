"""Artworks to shards: check, rescale, split, write, manifest."""
