"""All artworks that were read: which of them are one object, and which picture is whose."""
