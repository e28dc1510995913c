"""One module a command, one plain function each: arguments in, exit code out. Errors are raised, never printed here."""
