"""Photographs: decoding, colour, JPEG, resizing, near duplicates."""
