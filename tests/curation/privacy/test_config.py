import pytest

from curation.errors import ConfigError, PrivacySaltMissingError
from curation.privacy.config import NerConfig, PrivacyConfig
from curation.privacy.entities import DEFAULT_ACTIONS
from curation.privacy.screen import screen_rows


def test_what_is_not_named_has_its_default() -> None:
    config = PrivacyConfig(entities={"EMAIL": "reject"})
    assert (config.action_for("EMAIL"), config.action_for("API_KEY"), config.action_for("AGE")) == ("reject", "mask", "ignore")


@pytest.mark.parametrize(
    "values",
    [
        {"entities": {"E_MAIL": "mask"}},
        {"entities": {"EMAIL": "hide"}},
        {"entities": {"API_KEY": "pseudonym"}},
        {"entities": {"AGE": "pseudonym"}},
        {"min_score": 0.0},
        {"phone_regions": ("Germany",)},
        {"countries": ("fr",)},
        {"salt": "short"},
        {"salt_env": ""},
        {"max_chars": 1},
    ],
)
def test_nonsense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        PrivacyConfig(**values)  # type: ignore[arg-type]


def test_a_refused_salt_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        PrivacyConfig(salt="hush")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("values", [{"model": " "}, {"labels": {}}, {"labels": {"PER": "HUMAN"}}, {"min_score": 2.0}])
def test_a_nonsense_model_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        NerConfig(**{"model": "m", **values})  # type: ignore[arg-type]


def test_the_key_comes_from_the_environment_first(monkeypatch: pytest.MonkeyPatch) -> None:
    config = PrivacyConfig(salt="from the recipe", salt_env="MY_SALT", entities={"EMAIL": "pseudonym"})
    monkeypatch.setenv("MY_SALT", "from the environment")
    assert config.key_of_pseudonyms() == b"from the environment"
    monkeypatch.delenv("MY_SALT")
    assert config.key_of_pseudonyms() == b"from the recipe"


def test_pseudonyms_without_a_key_are_refused_before_any_row_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNEWRIGHT_PRIVACY_SALT", raising=False)
    with pytest.raises(PrivacySaltMissingError, match="TUNEWRIGHT_PRIVACY_SALT"):
        screen_rows(iter(()), PrivacyConfig(entities={"EMAIL": "pseudonym"}))


def test_every_entity_has_an_action() -> None:
    assert set(DEFAULT_ACTIONS.values()) == {"mask", "keep", "ignore"}
