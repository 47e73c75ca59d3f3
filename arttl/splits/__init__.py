"""Splits of a collection into train, val and test."""
