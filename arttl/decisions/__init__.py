"""What persons decide about suggestions, kept in one SQLite file that only ever grows; see `docs/review.md`."""
