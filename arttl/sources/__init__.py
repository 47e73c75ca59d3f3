"""One module per kind of metadata, each an iterator of Artwork."""
