"""Reward and divergence of GRPO, RLOO and PPO step by step, and whether held-out prompts earn more afterwards.

    python -m benchmarks.rl_curves [--quick] [--out FOLDER]        the last line is JSON

    grpo          word problems in the shape of gsm8k (`benchmarks.word_problems`); the grader `number` is the reward
    rloo, ppo     one of two words is the answer; the reward is a reward model trained on preference pairs, the same for both

A small model that is unsure learns through the entry point that every training uses, once with all weights and, unless --quick,
once with adapters.

    p_value     held-out prompts, which no method saw, are answered four times each before and after: Wilcoxon's signed-rank
                test, paired by prompt, that their rewards rose
    p_rise      the last third of the rewards of training against the first ten (Mann and Whitney)
    kl_max      the largest divergence from the start in nats (PPO: an answer; GRPO and RLOO: a token), to stay below `kl_limit`
    is_shown    both tests below 0.01, and the divergence bounded

One SVG a method goes to FOLDER.
"""

import argparse
import json
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from scipy.stats import mannwhitneyu

from benchmarks import word_problems
from curation.records import Message
from tests.training.methods import two_words
from tests.training.methods.two_words import LORA, World, p_value
from training.config import PpoConfig, RewardConfig, RlConfig, StageConfig, Tuning
from training.rewards.reward import Answer, build_rewards, total_rewards

LEARNING: dict[Tuning, float] = {"full": 1.0, "lora": 3.0}
"""How much faster adapters learn."""
KL_LIMIT = 3.0
EARLY = 10
"""Rewards that count as the first ones."""
NUM_HELD_OUT = 48
NUM_ANSWERS = 4
REWARD_MODEL = "reward_model"
WIDTH, HEIGHT, LEFT = 520, 150, 46


class Course(NamedTuple):
    """A stage in its world."""

    world: World
    start: Path
    stage: StageConfig
    prompts: Sequence[tuple[tuple[Message, ...], str]]
    """Held out, with their references."""
    models: dict[str, str]


def prepare(folder: Path, num_steps: int) -> dict[str, Course]:
    """Build worlds, models to start from and the reward model; return one course a method."""
    sums = word_problems.build_world(folder / "sums")
    problems = word_problems.draw_problems(NUM_HELD_OUT, is_held_out=True)
    grpo = StageConfig(
        method="grpo", rl=RlConfig(num_generations=8, max_new_tokens=20, kl_coefficient=0.05), batch_size=64,
        max_steps=num_steps * 3 // 2, learning_rate=0.001, rewards=(RewardConfig(grader=word_problems.GRADER),),
        **word_problems.QUICK,
    )  # fmt: skip
    solved = [(problem.prompt, problem.solution()) for problem in problems]
    words = two_words.build_world(folder / "words")
    start = two_words.train_unsure(words, two_words.train_knowing(words, two_words.train_base(words)))
    scorer = StageConfig(method="reward", tuning="full", max_steps=40, learning_rate=0.003, **two_words.QUICK)
    models = {REWARD_MODEL: str(words.run(scorer, REWARD_MODEL, parent_model=str(start)))}
    rl = RlConfig(max_new_tokens=8, kl_coefficient=0.05)
    small: dict[str, Any] = {**two_words.QUICK, "batch_size": 32, "rewards": (RewardConfig(model=REWARD_MODEL),)}
    rloo = StageConfig(method="rloo", rl=replace(rl, num_generations=4), max_steps=num_steps, learning_rate=0.0015, **small)
    ppo = StageConfig(method="ppo", rl=rl, ppo=PpoConfig(epochs=2), max_steps=2 * num_steps, learning_rate=0.001, **small)
    asked = [(two_words.prompt_of(number), two_words.right_of(number)) for number in range(1000, 1000 + NUM_HELD_OUT)]
    return {
        "grpo": Course(sums, word_problems.train_start(sums), grpo, solved, {}),
        "rloo": Course(words, start, rloo, asked, models),
        "ppo": Course(words, start, ppo, asked, models),
    }


def measure(course: Course, name: str, tuning: Tuning) -> dict[str, Any]:
    """Train one method and return its figures and curves."""
    lora = LORA if tuning == "lora" else None
    rate = (course.stage.learning_rate or 0) * LEARNING[tuning]
    stage = replace(course.stage, tuning=tuning, lora=lora, learning_rate=rate)
    output = course.world.run(stage, f"{name}-{tuning}", parent_model=str(course.start), models=course.models)
    points = json.loads((output / "manifest.json").read_text())["loss_curve"]
    rewards, kl = [point["reward"] for point in points], [point["kl"] for point in points]
    late = rewards[-len(rewards) // 3 :]
    before, after = (earn(folder, course) for folder in (course.start, output))
    figures = {
        "reward_first": round(sum(rewards[:3]) / 3, 3),
        "reward_last": round(sum(late) / len(late), 3),
        "held_out_before": round(sum(before) / len(before), 3),
        "held_out_after": round(sum(after) / len(after), 3),
        "p_value": p_value(before, after),
        "p_rise": float(mannwhitneyu(late, rewards[:EARLY], alternative="greater").pvalue),
        "kl_max": round(max(map(abs, kl)), 3),
        "kl_limit": KL_LIMIT,
    }
    is_shown = figures["p_value"] < 0.01 and figures["p_rise"] < 0.01 and figures["kl_max"] < KL_LIMIT
    return {**figures, "is_shown": is_shown, "curves": {"reward": rewards, "kl": kl}}


def earn(folder: Path, course: Course) -> list[float]:
    """Return the mean reward of a model's answers to each held-out prompt."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.chat_format import ChatFormat
    from training.methods.rollout import mask_answers, pad_prompts

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    chat, pad, rl = ChatFormat(tokenizer), tokenizer.pad_token_id, course.stage.rl
    assert rl is not None
    prompts = [list(chat.encode(prompt, reference).prompt) for prompt, reference in course.prompts]
    given = pad_prompts(prompts, pad=pad, device="cpu")
    torch.manual_seed(0)
    ids = model.generate(
        input_ids=given.ids, attention_mask=given.mask, max_new_tokens=rl.max_new_tokens, do_sample=True, top_k=0, top_p=1.0,
        num_return_sequences=NUM_ANSWERS, pad_token_id=pad,
    )[:, given.ids.shape[1] :]  # fmt: skip
    ends = model.generation_config.eos_token_id
    mask = mask_answers(ids, [ends] if isinstance(ends, int) else list(ends))
    kept = [row[part > 0].tolist() for row, part in zip(ids, mask, strict=True)]
    answers = [
        Answer(prompts[at // NUM_ANSWERS], row, tokenizer.decode(row, skip_special_tokens=True), reference, "")
        for at, row in enumerate(kept)
        for reference in (course.prompts[at // NUM_ANSWERS][1],)
    ]
    scores = total_rewards(build_rewards(course.stage, course.models, pad=pad), answers)
    return [sum(scores[at : at + NUM_ANSWERS]) / NUM_ANSWERS for at in range(0, len(scores), NUM_ANSWERS)]


def draw(found: dict[str, dict[str, Any]], title: str) -> str:
    """Return reward and divergence over the steps as one SVG, both tunings in each."""
    parts = [f'<text x="{LEFT}" y="18" font-size="14">{title}</text>']
    for place, curve in enumerate(("reward", "kl")):
        top = 30 + place * (HEIGHT + 40)
        parts += _panel(curve, {tuning: values["curves"][curve] for tuning, values in found.items()}, top)
    size = f'viewBox="0 0 {WIDTH} {2 * HEIGHT + 90}" width="{WIDTH}"'
    body = f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" role="img">{body}</svg>'


def _panel(name: str, lines: dict[str, list[float]], top: int) -> list[str]:
    values = [value for line in lines.values() for value in line]
    low, high = min(0.0, *values), max(1e-9, *values)
    bottom, right = top + HEIGHT, WIDTH - 70
    parts = [f'<path d="M{LEFT} {top}V{bottom}H{right}" fill="none" stroke="#777"/>']
    parts += [f'<text x="4" y="{y}" font-size="11">{value:.2f}</text>' for y, value in ((top + 8, high), (bottom, low))]
    parts.append(f'<text x="{LEFT + 4}" y="{top + 10}" font-size="12">{name}</text>')
    for (tuning, line), colour in zip(lines.items(), ("#1b6ca8", "#c0562a"), strict=False):
        step = (right - LEFT) / max(1, len(line) - 1)
        path = " ".join(
            f"{LEFT + at * step:.1f},{bottom - (value - low) / (high - low) * HEIGHT:.1f}" for at, value in enumerate(line)
        )
        end = bottom - (line[-1] - low) / (high - low) * HEIGHT
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shift = 4 if tuning == "full" else 16
        parts.append(f'<text x="{right + 4}" y="{end + shift:.0f}" font-size="11" fill="{colour}">{tuning}</text>')
    return parts


def main() -> None:
    """Run all methods and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps, all weights only")
    parser.add_argument("--out", type=Path, help="folder for one SVG a method")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    results: dict[str, Any] = {}
    tunings: tuple[Tuning, ...] = ("full",) if given.quick else ("full", "lora")
    with tempfile.TemporaryDirectory() as folder:
        for name, course in prepare(Path(folder), 30 if given.quick else 60).items():
            found = {tuning: measure(course, name, tuning) for tuning in tunings}
            if given.out is not None:
                given.out.mkdir(parents=True, exist_ok=True)
                (given.out / f"{name}.svg").write_text(draw({str(key): value for key, value in found.items()}, name))
            for tuning, figures in found.items():
                curves = figures.pop("curves")
                print(
                    f"{name:5} {tuning:5}",
                    figures,
                    "rewards",
                    [round(value, 2) for value in curves["reward"][::10]],
                    flush=True,
                )
                results[f"{name}_{tuning}"] = figures
    print(json.dumps(results))


if __name__ == "__main__":
    main()
