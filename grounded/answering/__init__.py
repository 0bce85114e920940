"""Answers: quoting and language-model generators, streaming, and when not to answer."""
