"""Runners: start and stop one colour. They obey whoever calls; that the live colour is never touched is
ensured above them, in app/environments.py.

All siblings pass one contract suite: both verbs are "ensure", so that a restart of ours may run them again.
"""
