"""Tests of the pure rules; they need nothing but Python."""
