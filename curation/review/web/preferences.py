"""What a person chose for this browser: read_preferences(request) == Preferences(theme="dark", density="compact").

The choices are kept in the cookies `theme`, `density` and `shortcuts`; the layout puts them on <html> as `data-theme`,
`data-density` and `data-shortcuts`.
"""

from dataclasses import dataclass

from fastapi import Request

THEMES = {"": "As the system", "light": "Light", "dark": "Dark"}
DENSITIES = {"": "Comfortable", "compact": "Compact"}
SHORTCUTS = {"": "On", "off": "Off"}
CHOICES = {"theme": THEMES, "density": DENSITIES, "shortcuts": SHORTCUTS}
"""Cookie -> its values and how the page calls them; the empty one is the default and needs no cookie."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preferences:
    """Values of the cookies; empty where the default is meant."""

    theme: str = ""
    density: str = ""
    shortcuts: str = ""


def read_preferences(request: Request) -> Preferences:
    """Return what the cookies say; values that are none count as the default."""
    given = {name: request.cookies.get(name, "") for name in CHOICES}
    return Preferences(**{name: value if value in CHOICES[name] else "" for name, value in given.items()})
