"""Features of cells: autoencoder, backbones, morphology, fine-tuning, feature banks."""
