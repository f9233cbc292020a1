"""What tools for keeping results can do: questions that small programs answer, each in fresh processes."""
