"""Where the rooms are joined: everything that a knowledge base does, and the same over texts that are in none."""
