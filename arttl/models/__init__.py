"""Backbones, the multi-task model and foreign weights."""
