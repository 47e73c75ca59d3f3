"""The experiment of the paper on any two collections, and the figures that were published of it."""
