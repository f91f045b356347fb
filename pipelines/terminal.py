"""Plain lines on the terminal: nothing that a text holds is read as markup, and nothing steers the terminal.

say("sdk_assistant: [b] is live")       as it stands there
say_error(error)                        "error ..." on the error stream
"""

from rich.console import Console
from rich.text import Text


def say(text: str) -> None:
    """Print a text to standard output, without wrapping its lines."""
    Console(highlight=False).print(Text(printable(text)), soft_wrap=True)


def say_error(text: str) -> None:
    """Print what went wrong to the error stream."""
    Console(stderr=True, highlight=False).print(Text.assemble(("error", "bold red"), " ", printable(text)), soft_wrap=True)


def printable(text: str) -> str:
    """Return a text whose control characters, line ends and tabs aside, are blanks: rows and documents come from anybody."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else " " for sign in text)


def one_line(text: str) -> str:
    """Return a text as one printable line: a reason in the ledger cannot look like another entry."""
    return printable(text).replace("\n", " ").replace("\t", " ")
