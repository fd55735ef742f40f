"""Notifiers: ways to tell people. What cannot be delivered raises and stops nobody else.

All siblings pass one contract suite: one notice, one delivery, within its timeout; the receiver's address is
a secret and stands in no error and no log.
"""
