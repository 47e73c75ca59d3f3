"""Who made an object and how surely: qualifiers, roles, and where tables of museums give them."""
