"""Identifiers in vocabularies: which vocabulary an address is of, the reviewed table, and what shards hold."""
