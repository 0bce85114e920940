"""First-party connectors. ``grounded`` finds them through the entry points of the group ``grounded.connectors``."""
