"""Teachers are built from their sections of the recipe, and what their replies depend on is in the request."""

from curation.synthesis.teachers.build import build_teacher, sampling_parameters
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from curation.synthesis.teachers.openai_model import OpenAIChatModel


def test_each_kind_has_its_model() -> None:
    assert isinstance(build_teacher(TeacherConfig()), ExtractiveTeacher)
    assert isinstance(build_teacher(TeacherConfig(kind="openai", model="m")), OpenAIChatModel)


def test_further_parameters_are_sent_and_a_temperature_of_none_is_not() -> None:
    config = TeacherConfig(kind="openai", model="m", temperature=None, parameters={"reasoning_effort": "low"})
    assert sampling_parameters(config, seed=3) == {"max_tokens": 512, "seed": 3, "reasoning_effort": "low"}
    assert sampling_parameters(TeacherConfig(kind="openai", model="m"), seed=0)["temperature"] == 0.7
    assert sampling_parameters(TeacherConfig(), seed=3) == {"seed": 3}


def test_names_weights_prices_and_limits_do_not_change_what_a_reply_depends_on() -> None:
    plain = TeacherConfig(kind="openai", model="m")
    named = TeacherConfig(
        kind="openai",
        model="m",
        name="n",
        weight=2.0,
        price_input_usd_per_million=1,
        price_output_usd_per_million=1,
        requests_per_minute=5,
        shutdown_date="2030-01-01",
    )
    assert sampling_parameters(plain, seed=0) == sampling_parameters(named, seed=0)
