"""What comes with a release for people to read: files, or texts in memory."""
