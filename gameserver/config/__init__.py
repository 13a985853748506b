"""Typed settings, from a TOML file and the environment; every fault is named at once, by its path."""
