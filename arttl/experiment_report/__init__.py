"""How the report of an experiment is written: its page, the same in Markdown, and a CSV file per table."""
