"""Changing the shared schema while users are on it: files and tools, gently, resumable, written into the ledger."""
