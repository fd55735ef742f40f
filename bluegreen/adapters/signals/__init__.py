"""Sources of signals: how users fare, as counts attributed to a colour.

All siblings pass one contract suite: a source runs until it is cancelled, never reports what it did not see,
and says when it last heard anything. What it cannot read is silence, never good and never bad.
"""
