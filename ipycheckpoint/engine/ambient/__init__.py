"""Ambient state: what a process has besides its variables, aspect by aspect."""
