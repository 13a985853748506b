"""Questions over all databases, and the audit log."""
