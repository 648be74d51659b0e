"""Images: reading, checking, segmentation, stain."""
