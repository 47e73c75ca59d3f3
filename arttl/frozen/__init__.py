"""Features of frozen networks on disk, and heads on them."""
