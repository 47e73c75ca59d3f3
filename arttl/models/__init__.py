"""Backbones, heads, the multi-task model, the fused model and foreign weights."""

from arttl.models.backbones import Backbone, default_preprocess
from arttl.models.folders import Provenance, TrainedModel
from arttl.models.fusion import FusedModel, load_fused, load_trained_model
from arttl.models.multitask import MultiTaskModel, load_model
from arttl.models.weights import LoadedWeights, load_weights

__all__ = [
    "Backbone",
    "FusedModel",
    "LoadedWeights",
    "MultiTaskModel",
    "Provenance",
    "TrainedModel",
    "default_preprocess",
    "load_fused",
    "load_model",
    "load_trained_model",
    "load_weights",
]
