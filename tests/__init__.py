"""Tests by what they need, fastest first."""
