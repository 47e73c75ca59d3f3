"""What the headers of pictures say: sizes, colours, profiles; and their bytes, in memory or on disk."""
