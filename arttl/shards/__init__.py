"""The shard format: manifest, sample records, index, writer."""
