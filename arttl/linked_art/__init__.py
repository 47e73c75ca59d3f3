"""Records of Linked Art (linked.art): nodes and their names, makers, and the fields of an object."""
