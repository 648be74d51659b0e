"""Comparisons and boards as plain data, for `--json`."""

from collections.abc import Sequence
from typing import Any

from lymphokit.leaderboard.board import Board, board_summary
from lymphokit.leaderboard.compare import Candidate, Comparison
from lymphokit.leaderboard.compare_text import advice, summary
from lymphokit.leaderboard.distributions import LEVEL, Distribution


def plain_comparison(comparison: Comparison) -> dict[str, Any]:
    """A comparison as mappings and lists; scores that are not known are NaN."""
    return {
        "summary": summary(comparison),
        "advice": advice(comparison),
        "patients": {
            "all": len(comparison.patients),
            "public": comparison.n_public,
            "private": comparison.n_private,
        },
        "best": comparison.best.letter,
        "keep": [comparison.best.letter, comparison.second.letter],
        "level": LEVEL,
        "files": [_plain_file(one, comparison) for one in comparison.candidates],
        "contested": [
            {
                "patient": comparison.patients[place],
                **{one.letter: int(one.file.labels[place]) for one in comparison.candidates},
            }
            for place in comparison.contested
        ],
        "out_of_fold": [one.paired.row.to_dict() for one in comparison.others if one.paired],
        "notes": comparison.notes,
    }


def plain_boards(boards: Sequence[Board]) -> list[dict[str, Any]]:
    """Boards as mappings and lists; scores that are not entered are NaN."""
    return [
        {
            "cohort": board.cohort,
            "board": board.name,
            "patients": board.n_patients,
            "summary": board_summary(board),
            "level": LEVEL,
            "submissions": board.rows.to_dict("records"),
        }
        for board in boards
    ]


def _plain_file(one: Candidate, comparison: Comparison) -> dict[str, Any]:
    lead = {} if one is comparison.best else {"probability_best_ahead": one.lead.p_positive}
    return {
        "letter": one.letter,
        "file": str(one.file.path),
        "sha256": one.file.sha256,
        "balanced_accuracy_out_of_fold": one.figures.balanced_accuracy,
        "effective_sample_size": one.figures.effective_size,
        "public": _plain_scores(one.public),
        "private": _plain_scores(one.private),
        "public_score": one.public_score,
        **lead,
    }


def _plain_scores(scores: Distribution) -> dict[str, float]:
    low, high = scores.interval()
    return {"mean": scores.mean, "low": low, "high": high}
