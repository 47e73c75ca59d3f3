"""`arttl review`: an application in the browser with which a person decides about suggestions; see `docs/review.md`."""
