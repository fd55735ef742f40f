"""The cutback card's keepers: one small file beside the journal, so that the way back needs no database."""
