"""Sentences, terms, tokens and normalisation, each with a way back to the untouched text."""
