"""Floor 9: the command line: flags in, exit codes out. Imports torch only inside a verb that needs it."""
