"""How much scores depend on what should not matter: the cells that were drawn, the staining."""
