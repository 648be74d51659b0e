"""What a fault of a download means for a run: the reason that the check refuses it."""

import re

_MEANINGS = (
    (
        r"is neither at|is not in ",
        "without this table the columns to read, or to write, are not known",
    ),
    (
        r"truncated|damaged|is empty|cannot be unpacked|has more than .* bytes",
        "the file lost a part, mostly in a download or copy that broke off: it would be grey there",
    ),
    (
        r"the same picture twice|holds the (bytes|pixels) of",
        "on both sides of a fold a picture is recognised, not classified: too high a score",
    ),
    (
        r"expected \d+x\d+|whole field of view",
        "networks and masks expect one magnification: another size is another, or no single cell",
    ),
    (
        r"bit|frames|palette|grayscale|transparency|EXIF|black and white",
        "the pixels would be read otherwise than a person sees them",
    ),
    (
        r"not a JPEG|no regular file|is a folder|not named as an image|far larger|no text",
        "it is no image of a cell, and nothing is skipped in silence",
    ),
    (
        r"link|cannot be (opened|read):|permission",
        "a part of the data is not here, and the run would go without it",
    ),
    (
        r"is none of 1, 0|neither M nor F",
        "a label or gender that is not known cannot be learned from, nor balanced over the folds",
    ),
    (
        r"outside .* x 10\^9/L|logarithm|per cent|between .* for all",
        "a count in another unit makes its patient an extreme one, and age and count lead here",
    ),
    (
        r"date|reference|years old|calendar|written with",
        "ages come from dates: read in another form, a patient is decades older or younger",
    ),
    (r"is missing|no value", "every patient needs each value: none is made up"),
    (
        r"no folder|no row|patient by LABEL|no image|no usable image|hold no patient's",
        "tables and folders name different patients: one without images or label cannot be used",
    ),
    (
        r"no patient's folder|beside img|no type's folder|has no label",
        "an image that belongs to nobody would be lost without a word",
    ),
    (
        r"rows: |differs from|second table|but (not|neither)| is .* in .* and |twice",
        "two places contradict each other, and a run would take one of them by chance",
    ),
    (
        r"Unicode normalisation|number of",
        "two names look the same: one of the two would hide the other",
    ),
    (
        r"for none of|lists no patient|simulated|to train on|too few|holds no|alone",
        "there is nobody to learn from or to predict, or too few to do it with",
    ),
    (
        r"zip|member",
        "no tool made such a zip from the published data: what it holds cannot be relied on",
    ),
    (
        r"sample_submission|header|column|table|values, and|rows|starts with|lists",
        "without its columns as published, a value would be taken for another one",
    ),
)
_OTHER = "a run would stop at it later, or learn from what is wrong"


def meaning(finding: str) -> str:
    """Why a fault with this finding matters."""
    return next((text for pattern, text in _MEANINGS if re.search(pattern, finding)), _OTHER)
