"""Tables: reading them as they are, judging their rows, holding rows out, features and target."""
