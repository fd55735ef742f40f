"""What a statement's parse tree says before anything runs: kinds of findings and the things they are about."""


def dangers(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs (kind, object) of one statement; of a DO block or a function body also what stands inside, as far as it
    can be
    read. Kinds of `domain.schema.NEVER_RUN` keep a file from being run at all."""
    return ()
