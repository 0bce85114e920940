"""From bytes at a source to live, searchable versions: parsing, splitting, the ledger and its sync."""
