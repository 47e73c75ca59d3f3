"""Backbones, the multi-task model and foreign weights."""

from arttl.models.backbones import Backbone, default_preprocess
from arttl.models.multitask import MultiTaskModel, Provenance, load_model
from arttl.models.weights import LoadedWeights, load_weights

__all__ = [
    "Backbone",
    "LoadedWeights",
    "MultiTaskModel",
    "Provenance",
    "default_preprocess",
    "load_model",
    "load_weights",
]
