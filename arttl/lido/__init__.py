"""LIDO records: terms, makers and objects of the exchange format of CIDOC."""
