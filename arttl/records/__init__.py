"""Metadata files to rows and records, safely: delimited text, JSON, Parquet, XML."""
