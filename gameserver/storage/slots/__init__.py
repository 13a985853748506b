"""Which database owns which slot; every other room reads it here."""
