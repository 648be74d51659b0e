"""The nucleus and the whole cell at the centre of an image, whatever its stain and its size."""
