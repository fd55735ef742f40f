"""Front doors: the way users come in, asked as a user would. All siblings pass one contract suite."""
