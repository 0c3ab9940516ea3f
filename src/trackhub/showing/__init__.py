"""How things look on a screen and in a pipe; whoever shows something imports this, and this imports nothing of ours."""
