from assets.learning_rate_check import draw_losses
from pipelines.lr_range_command import describe_range

FOUND = {
    "suggested": 0.002,
    "steepest": 0.002,
    "best": 0.01,
    "diverged": 0.3,
    "curve": [[1e-7, 4.0], [1e-3, 2.0], [1e-1, 1.0], [1.0, None]],
}


def test_the_rate_is_said_as_the_recipe_wants_it() -> None:
    said = describe_range(FOUND)
    assert "learning_rate: 2.0e-03" in said
    assert "diverged at 3.0e-01" in said
    assert said.startswith("loss from 1e-07 to 1e-01: \u2588\u2583\u2581")


def test_a_loss_that_never_fell_points_to_the_data() -> None:
    said = describe_range({**FOUND, "suggested": None})
    assert "learning_rate" not in said
    assert "tunewright preflight" in said


def test_blocks_do_not_care_how_far_a_loss_explodes() -> None:
    assert draw_losses([2.0, 1.0, 900.0]) == "\u2588\u2581\u2588"
    assert draw_losses([1.0]) == "\u2581"
