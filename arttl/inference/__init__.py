"""Predictions for new pictures."""
