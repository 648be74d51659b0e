from dataclasses import replace

import numpy as np
import pytest

from lymphokit.simulation.cell_kinds import (
    BLOOD_TYPES,
    Population,
    draw_blood_cell,
    draw_lymphocyte,
    draw_population,
)
from lymphokit.simulation.drawing import depth, grain, horns, outline, soft, window
from lymphokit.simulation.smear import Slide, draw_slide, photograph
from lymphokit.simulation.white_cells import WhiteCell, paint

SIZE = (224, 224)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def slide() -> Slide:
    return draw_slide(rng(1))


@pytest.fixture(scope="module")
def cell() -> WhiteCell:
    lymphocyte, _ = draw_lymphocyte(rng(2), draw_population(rng(3), 1.0), abnormal=False)
    return lymphocyte


def test_an_outline_without_waves_is_a_circle() -> None:
    inside = depth(outline(rng(), 20.0, 0.0, 0.0), reach=30)
    rows, columns = np.mgrid[-30:31, -30:31]
    assert inside == pytest.approx(20.0 - np.hypot(rows, columns), abs=1e-4)


def test_a_blob_moves_with_its_middle() -> None:
    rim = outline(rng(), 12.0, 0.2, 0.1)
    moved = depth(rim, 30, row=5, column=-7)
    assert np.array_equal(moved[5:, :-7], depth(rim, 30)[:-5, 7:])


def test_horns_only_add_and_reach_their_length() -> None:
    added = horns(rng(), 3, longest=9.0, reach_angle=0.2)
    assert added.min() >= 0
    assert 0.3 * 9 * 0.95 < added.max() < 3 * 9
    assert horns(rng(), 0, 9.0, 0.2).max() == 0


def test_a_soft_rim_is_half_covered() -> None:
    distances = np.array([-2, -1, 0, 1, 2], dtype=np.float32)
    assert soft(distances, edge=2.0).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("scale", [1.0, 2.0, 3.5])
def test_grain_has_unit_deviation_at_every_scale(scale: float) -> None:
    noise = grain(rng(), 300, scale)
    assert noise.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("centre", "canvas", "patch"),
    [
        ((10, 10), (slice(7, 14), slice(7, 14)), (slice(0, 7), slice(0, 7))),
        ((1, 19), (slice(0, 5), slice(16, 20)), (slice(2, 7), slice(0, 4))),
    ],
)
def test_a_patch_is_cut_where_the_canvas_ends(
    centre: tuple[int, int], canvas: tuple[slice, slice], patch: tuple[slice, slice]
) -> None:
    assert window((20, 20), centre, 3) == (*canvas, *patch)


def test_a_patch_beyond_the_canvas_meets_nothing() -> None:
    rows, columns, patch_rows, patch_columns = window((20, 20), (-40, 60), 3)
    assert np.zeros((20, 20))[rows, columns].size == 0
    assert np.zeros((7, 7))[patch_rows, patch_columns].size == 0


def test_an_empty_slide_has_the_light_of_its_ground(slide: Slide, cell: WhiteCell) -> None:
    clear = replace(slide, stain=(0.0, 0.0, 0.0), background=(200.0, 150.0, 100.0))
    image, _ = photograph(rng(), clear, cell, cell, SIZE)
    assert image.mean(axis=(0, 1)) == pytest.approx([200, 150, 100], rel=0.03)


def test_more_stain_lets_less_light_through(slide: Slide, cell: WhiteCell) -> None:
    means = [
        photograph(rng(), replace(slide, stain=(dye, dye, dye)), cell, cell, SIZE)[0].mean()
        for dye in (0.5, 1.0, 1.5)
    ]
    assert means[0] > means[1] > means[2]


def test_red_cells_leave_the_middle_to_the_white_cell(slide: Slide, cell: WhiteCell) -> None:
    alone = replace(slide, red_cells=np.zeros_like(slide.red_cells))
    kept = replace(slide, neighbours=0.0), replace(alone, neighbours=0.0)
    (crowded, mask), (empty, _) = (photograph(rng(5), own, cell, cell, SIZE) for own in kept)
    differs = np.abs(crowded.astype(int) - empty).max(axis=2) > 12
    assert differs.mean() > 0.1
    assert differs[mask == 255].mean() < 0.02


def test_a_cell_at_the_border_is_cut_not_moved(cell: WhiteCell) -> None:
    whole = paint(np.zeros((300, 300, 3), np.float32), cell, (150, 150), rng(4))
    cut = paint(np.zeros((300, 300, 3), np.float32), cell, (0, 150), rng(4))
    assert np.array_equal(cut[:150], whole[150:])


def test_an_image_of_a_platelet_has_no_white_cell_in_its_mask(
    slide: Slide, cell: WhiteCell
) -> None:
    image, mask = photograph(rng(), replace(slide, neighbours=0.0), None, cell, SIZE)
    assert mask.max() == 0
    assert image[108:116, 108:116, 1].min() < 150


def test_an_abnormal_cell_without_signal_is_a_normal_one() -> None:
    population = Population(0.5, draw_population(rng(8), 0.0).clone, signal=0.0)
    normal, kind = draw_lymphocyte(rng(9), population, abnormal=False)
    abnormal, abnormal_kind = draw_lymphocyte(rng(9), population, abnormal=True)
    assert abnormal == normal
    assert (kind in {"small", "reactive"}, abnormal_kind) == (True, "abnormal")


def test_half_a_signal_lies_half_way() -> None:
    clone = draw_population(rng(8), 1.0).clone
    radius, clumping = (
        [
            getattr(draw_lymphocyte(rng(9), Population(0.5, clone, signal), True)[0], trait)
            for signal in (0.0, 0.5, 1.0)
        ]
        for trait in ("radius", "clumping")
    )
    assert radius[1] == pytest.approx((radius[0] + radius[2]) / 2)
    assert clumping[1] == pytest.approx((clumping[0] + clumping[2]) / 2)


@pytest.mark.parametrize("name", sorted(BLOOD_TYPES))
def test_the_nucleus_of_a_blood_cell_lies_within_it(name: str) -> None:
    for seed in range(5):
        blood_cell = draw_blood_cell(rng(seed), name)
        mask = paint(np.zeros((224, 224, 3), np.float32), blood_cell, (112, 112), rng(seed))
        nucleus, cytoplasm = (mask == 255).sum(), (mask == 128).sum()
        assert 0.15 < nucleus / (nucleus + cytoplasm) < 0.85
        assert mask[[0, -1]].max() == mask[:, [0, -1]].max() == 0


def test_blood_types_differ_in_size_as_in_blood() -> None:
    def area(name: str) -> float:
        drawn = [draw_blood_cell(rng(seed), name).radius for seed in range(20)]
        return float(np.mean(drawn))

    assert area("erythroblast") < area("neutrophil") < area("monocyte")
