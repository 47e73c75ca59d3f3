"""Which file a name means, and which of several objects that name one file may have it."""
