"""`arttl predict`: pictures of any origin to tables of suggestions, part by part."""
