"""Keras's forms of the paper's networks, and the import of weights that Keras saved."""
