"""Thin adapters for other frameworks: LlamaIndex, LangChain and Haystack.

Each module imports its framework and says which extra brings it when it is not installed. Nothing else in the package
imports these modules.
"""
