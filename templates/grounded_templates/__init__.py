"""Metaprompt packs that ship with grounded."""
