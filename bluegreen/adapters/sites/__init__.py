"""Set up sites once. Here `caddy-api-client` does what it can do well; what it does beside that is undone."""
