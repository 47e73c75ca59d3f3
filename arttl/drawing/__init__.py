"""How the objects of the synthetic collection are drawn: silhouettes, surfaces, styles, and the photograph."""
