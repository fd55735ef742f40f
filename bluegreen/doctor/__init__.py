"""`bluegreen doctor`: looks at everything that a deployment needs, and says what is wrong and what to type.

It changes nothing and needs no daemon. Each part is looked at on its own and within its own time, so that one that
hangs hides no other.
"""

from bluegreen.doctor.examination import Wish, examine
from bluegreen.doctor.findings import Finding, Level
from bluegreen.doctor.shown import as_document, as_lines

__all__ = ["Finding", "Level", "Wish", "as_document", "as_lines", "examine"]
