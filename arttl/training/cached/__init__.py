"""Training on features computed once: the store, grids of heads, the fusion ladder, what each layer knows."""
