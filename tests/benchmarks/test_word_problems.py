"""Problems are different, solved rightly, and held out for real."""

import random

from benchmarks.word_problems import GRADER, LARGEST, SHARE_RIGHT, draw_problems, draw_solution
from curation.graders.registry import GRADERS


def test_sides_share_no_pair_of_name_and_thing_and_no_problem_comes_twice() -> None:
    train, held_out = (draw_problems(400, is_held_out=side) for side in (False, True))
    assert not {(problem.name, problem.thing) for problem in train} & {(problem.name, problem.thing) for problem in held_out}
    assert len({problem.question for problem in train}) == 400
    assert train == draw_problems(400, is_held_out=False)
    assert {problem.result for problem in train} == set(range(2 * LARGEST + 1))


def test_solutions_end_as_in_gsm8k_and_the_grader_tells_right_from_wrong() -> None:
    rng, problems = random.Random(0), draw_problems(400, is_held_out=False)
    assert all(problem.solution().splitlines()[-1] == f"#### {problem.result}" for problem in problems)
    rewards = [GRADERS[GRADER](draw_solution(problem, rng), problem.solution()).reward for problem in problems]
    assert set(rewards) == {0.0, 1.0}
    assert abs(sum(rewards) / len(rewards) - SHARE_RIGHT) < 0.1
