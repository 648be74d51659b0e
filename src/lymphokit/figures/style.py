"""Colours and line styles that all figures share."""

# Okabe and Ito's palette: told apart by colour-blind readers, and in this order also in grey.
BLACK, ORANGE, SKY, GREEN, VERMILION, BLUE, PURPLE = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7",
)  # fmt: skip
CURVES = ((VERMILION, "-"), (BLUE, "-"), (GREEN, "--"), (ORANGE, "-."), (PURPLE, ":"), (SKY, "--"))
PALE, DARK = "#d9d9d9", "#404040"
