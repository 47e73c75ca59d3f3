"""Suggestions and accepted values in the formats of museums: Linked Art, LIDO, Web Annotation, CSV."""
