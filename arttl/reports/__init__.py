"""Suggestions and doubtful labels as pages to look at, which need no network."""
