"""An id in its one form, in Python and as a column: what copy and paste, files and cookie libraries put around it is no part of it.

Left out: characters nobody sees, wherever they stand; blanks and quotes around it, those of a URL (`%22`) and of HTML (`&quot;`) among
them; the braces Windows puts around a UUID; the `.0` a spreadsheet puts behind a whole number. The same regular expressions are read by Python and by Java.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

BROKEN = "\ufffd"  # stands for what could not be decoded: two ids that hold it may have been different ones

_INVISIBLE = (
    r"[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff]++"
)
_AROUND = (
    r"(?:[ \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\"'`\u2018-\u201f\u00ab\u00bb]|%2[027]|%0[9aAdD]"
    r"|&(?:quot|apos|nbsp|#0?39|#34);|\\(?=\"))++"
)
_ENDS = rf"\A{_AROUND}|{_AROUND}\z"
_IN_BRACES = r"\A\{([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}\z"
_WHOLE_NUMBER = r"(?<=\A[-+]?[0-9]{1,100})[.]0{1,100}\z"
# As most ids are: nothing to leave out, seen in one pass. What is not so is looked at closely.
_PLAIN = r"\A(?:[0-9A-Za-z_:/@+=-]++|[0-9A-Za-z_:/@+=.-]*[1-9A-Za-z_:/@+=-])\z"
_IS_PLAIN, _PYTHON_ENDS, _PYTHON_BRACES = (
    re.compile(pattern.replace(r"\z", r"\Z")) for pattern in (_PLAIN, _ENDS, _IN_BRACES)
)


def normalise(value: str) -> str:
    """One id in its one form; empty when nothing is left."""
    if _IS_PLAIN.search(value):
        return value
    bare = _PYTHON_BRACES.sub(r"\1", _PYTHON_ENDS.sub("", re.sub(_INVISIBLE, "", value)))
    whole = re.fullmatch(r"([-+]?[0-9]{1,100})[.]0{1,100}", bare)
    return whole[1] if whole else bare


def normalised(value: Column) -> Column:
    """The same as a column; null stays null."""
    ended = F.regexp_replace(F.regexp_replace(value, _INVISIBLE, ""), _ENDS, "")
    bare = F.regexp_replace(ended, _IN_BRACES, "$1")
    return F.when(~value.rlike(_PLAIN), F.regexp_replace(bare, _WHOLE_NUMBER, "")).otherwise(value)
