"""Sentences that passages support or do not, labelled by hand before anything was tuned on them.

HELD_OUT was written after that; no list of words and no limit was changed on account of it.

CASES[0]      Case("shop", "You can return shoes within 30 days of delivery.", True, "verbatim")
"""

from typing import NamedTuple


class Case(NamedTuple):
    """A sentence of an answer, and whether the passage supports it."""

    passage: str
    text: str
    is_supported: bool
    how: str


PASSAGES = {
    "shop": (
        "You can return shoes within 30 days of delivery. Returns are free if you use the printed label. Refunds"
        " reach your account within 5 working days after the parcel arrives at our warehouse in Rotterdam. Sale items"
        " cannot be returned. Gift cards never expire."
    ),
    "api": (
        "`trim(text, max_length=80)` removes white space from both ends of a string and cuts it to max_length"
        " characters. It raises ValueError if max_length is negative. The function does not change the original"
        " string. Since version 2.4 it also accepts bytes. The client retries a failed request 3 times with a delay of"
        " 250 ms before it gives up."
    ),
    "town": (
        "Lindau lies on an island at the eastern end of Lake Constance. The town has 25,000 inhabitants. Its harbour"
        " was built between 1853 and 1856, and a lighthouse and a Bavarian lion guard the entrance. The lighthouse is"
        " 33 metres high. Trains from Munich take about two hours. Before 1955 the town was occupied by French troops."
    ),
    "drug": (
        "Adults take one tablet of Nolivan every 8 hours, at most three tablets a day. Take it with food. Nolivan"
        " must not be taken together with alcohol. Stop the treatment and call a doctor if a rash appears. Store the"
        " tablets below 25 degrees. In trials, 4 % of the patients had headaches."
    ),
    "firm": (
        "Revenue of Ostwind AG increased by 12 % to 340 million euros in 2023. The company employs 1,200 people in"
        " Kiel and Gdansk. Its chief executive, Maren Holt, announced that the plant in Kiel will close in 2026."
        " Profit fell to 18 million euros because steel became more expensive. No dividend is paid for 2023."
    ),
    "bike": (
        "The city lends 4,500 bicycles at 310 stations. The first 30 minutes of every ride are free; each further"
        " half hour costs 1.50 euros. Riders have to be at least 16 years old. Helmets are recommended but not"
        " required. Bikes must be brought back to a station before midnight. A lost key costs 25 euros."
    ),
    "log": (
        "The collector writes one file per day to `/var/log/relay`. Files older than 14 days are deleted"
        " automatically. If the disk is more than 90 % full, the collector stops and sends an alert to the operator."
        " Set RELAY_LEVEL to debug to see every message. Passwords are never written to the log. Version 3 dropped"
        " support for Python 3.8."
    ),
}

_ROWS = {
    "shop": (
        ("You can return shoes within 30 days of delivery.", True, "verbatim"),
        ("Gift cards never expire.", True, "verbatim"),
        ("You can return your shoes within thirty days after delivery.", True, "near"),
        ("Returns are free when the printed label is used.", True, "near"),
        ("The warehouse is in Rotterdam.", True, "near"),
        ("Items on sale cannot be returned.", True, "near"),
        ("Your account gets the refund within 5 working days after the parcel arrives.", True, "near"),
        ("It costs nothing to send shoes back with the label provided.", True, "paraphrase"),
        ("There is no time limit on using a gift card.", True, "paraphrase"),
        ("You can return shoes within 60 days of delivery.", False, "number"),
        ("Refunds reach your account within 15 working days.", False, "number"),
        ("Refunds reach your account within 30 working days.", False, "swapped"),
        ("Sale items can be returned.", False, "negation"),
        ("Returns are not free if you use the printed label.", False, "negation"),
        ("Gift cards expire.", False, "negation"),
        ("The parcel arrives at our warehouse in Hamburg.", False, "name"),
        ("You can exchange shoes in any of our stores.", False, "invented"),
        ("Shoes must be unworn and in their original box.", False, "invented"),
    ),
    "api": (
        ("It raises ValueError if max_length is negative.", True, "verbatim"),
        ("trim removes white space from both ends of a string.", True, "near"),
        ("A negative max_length raises ValueError.", True, "near"),
        ("Since version 2.4, bytes are accepted too.", True, "near"),
        ("The original string is not changed.", True, "near"),
        ("A failed request is retried 3 times by the client.", True, "near"),
        ("The client retries failed requests three times, with a delay of 250 ms.", True, "near"),
        ("Strings longer than the limit are truncated.", True, "paraphrase"),
        ("The input stays as it was.", True, "paraphrase"),
        ("It raises TypeError if max_length is negative.", False, "name"),
        ("It raises ValueError if max_length is positive.", False, "opposite"),
        ("The function changes the original string.", False, "negation"),
        ("Since version 2.5 it also accepts bytes.", False, "number"),
        ("The client retries a failed request 5 times.", False, "number"),
        ("The client retries a failed request 3 times with a delay of 250 seconds.", False, "unit"),
        ("trim removes white space from the left end of a string only.", False, "invented"),
        ("The function returns None for an empty string.", False, "invented"),
        ("It is faster than str.strip.", False, "invented"),
    ),
    "town": (
        ("The lighthouse is 33 metres high.", True, "verbatim"),
        ("Lindau is on an island at the eastern end of Lake Constance.", True, "near"),
        ("The town has 25000 inhabitants.", True, "near"),
        ("The harbour was built between 1853 and 1856.", True, "near"),
        ("A Bavarian lion guards the entrance of the harbour.", True, "near"),
        ("From Munich, trains take about 2 hours.", True, "near"),
        ("You can get there from Munich by rail in around two hours.", True, "paraphrase"),
        ("French troops occupied the town until 1955.", True, "near"),
        ("Lindau lies at the western end of Lake Constance.", False, "opposite"),
        ("The town has 52,000 inhabitants.", False, "number"),
        ("The harbour was built between 1853 and 1865.", False, "number"),
        ("The lighthouse is 25,000 metres high.", False, "swapped"),
        ("Trains from Zurich take about two hours.", False, "name"),
        ("After 1955 the town was occupied by French troops.", False, "opposite"),
        ("The lighthouse is not open to visitors.", False, "invented"),
        ("Lindau is famous for its Christmas market.", False, "invented"),
    ),
    "drug": (
        ("Take it with food.", True, "verbatim"),
        ("Adults take one tablet every 8 hours.", True, "near"),
        ("At most three tablets a day may be taken.", True, "near"),
        ("Nolivan must not be taken with alcohol.", True, "near"),
        ("If a rash appears, stop the treatment and call a doctor.", True, "near"),
        ("Do not drink alcohol while you are on Nolivan.", True, "paraphrase"),
        ("4 percent of patients in trials had headaches.", True, "near"),
        ("Adults take one tablet every 6 hours.", False, "number"),
        ("Take at least three tablets a day.", False, "opposite"),
        ("Nolivan may be taken together with alcohol.", False, "negation"),
        ("Take it without food.", False, "negation"),
        ("Store the tablets above 25 degrees.", False, "opposite"),
        ("Continue the treatment if a rash appears.", False, "opposite"),
        ("Nolivan is safe during pregnancy.", False, "invented"),
        ("Children take half a tablet.", False, "invented"),
    ),
    "firm": (
        ("No dividend is paid for 2023.", True, "verbatim"),
        ("Ostwind AG increased its revenue by 12 % to 340 million euros.", True, "near"),
        ("The company has 1200 employees in Kiel and Gdansk.", True, "near"),
        ("Maren Holt announced that the Kiel plant will close in 2026.", True, "near"),
        ("Profit fell because steel became more expensive.", True, "near"),
        ("Shareholders get nothing for 2023.", True, "paraphrase"),
        ("Higher steel prices hurt earnings.", True, "paraphrase"),
        ("Revenue decreased by 12 % to 340 million euros.", False, "opposite"),
        ("Revenue increased by 12 % to 430 million euros.", False, "number"),
        ("Revenue increased by 18 % in 2023.", False, "swapped"),
        ("The plant in Gdansk will close in 2026.", False, "swapped"),
        ("A dividend is paid for 2023.", False, "negation"),
        ("Marten Holt is its chief executive.", False, "name"),
        ("Profit fell to 18 million dollars.", False, "unit"),
        ("The company plans to open a plant in Poland.", False, "invented"),
    ),
}
_LATER = {
    "bike": (
        ("The city lends 4500 bicycles at 310 stations.", True, "near"),
        ("You ride for free for the first 30 minutes.", True, "near"),
        ("Every further half hour costs 1.50 euros.", True, "near"),
        ("Riders must be at least 16.", True, "near"),
        ("You do not have to wear a helmet.", True, "paraphrase"),
        ("Helmets are not required, only recommended.", True, "near"),
        ("If you lose the key, you pay 25 euros.", True, "paraphrase"),
        ("Bring the bike back to a station before midnight.", True, "near"),
        ("The first 45 minutes of every ride are free.", False, "number"),
        ("Helmets are required.", False, "negation"),
        ("Bikes must be brought back to a station after midnight.", False, "opposite"),
        ("A lost key costs 30 euros.", False, "swapped"),
        ("Each further half hour costs 1.50 dollars.", False, "unit"),
        ("Riders have to be at most 16 years old.", False, "opposite"),
        ("You can book a bike with the app.", False, "invented"),
        ("The stations are emptied by a team at night.", False, "invented"),
    ),
    "log": (
        ("The collector writes a file every day.", True, "near"),
        ("Files are deleted automatically after 14 days.", True, "near"),
        ("With RELAY_LEVEL set to debug you see every message.", True, "near"),
        ("The collector stops when the disk is over 90 % full.", True, "near"),
        ("The operator gets an alert when the collector stops.", True, "near"),
        ("Log files are kept for two weeks.", True, "paraphrase"),
        ("Python 3.8 is no longer supported since version 3.", True, "near"),
        ("Files older than 40 days are deleted automatically.", False, "number"),
        ("Passwords are written to the log.", False, "negation"),
        ("Set LOG_LEVEL to debug to see every message.", False, "name"),
        ("If the disk is less than 90 % full, the collector stops.", False, "opposite"),
        ("Version 3 added support for Python 3.8.", False, "opposite"),
        ("The collector compresses its files with gzip.", False, "invented"),
        ("Files older than 14 days are moved to an archive.", False, "invented"),
    ),
}
CASES = tuple(Case(passage, *row) for passage, rows in _ROWS.items() for row in rows)
HELD_OUT = tuple(Case(passage, *row) for passage, rows in _LATER.items() for row in rows)
