"""How the objects of the synthetic collection are drawn: silhouettes, surfaces, hands, and the photograph."""
