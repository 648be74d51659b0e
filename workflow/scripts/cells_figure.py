"""Some cells of some patients of either label, to look at."""
