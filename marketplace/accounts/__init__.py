"""Who may sign in, in which roles, and with which scope."""
