"""Downloads and safe unpacking."""
