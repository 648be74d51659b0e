"""Numbers for cells: the autoencoder, backbones, and the banks that keep them on disk."""
