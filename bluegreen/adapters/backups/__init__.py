"""Backups that were verified by being restored; and the way back into service."""
