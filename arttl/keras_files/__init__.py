"""Weights that Keras saved: where each tensor is in a file, found out by a process with limits of time and memory."""
