"""From logits to what a person reads."""
