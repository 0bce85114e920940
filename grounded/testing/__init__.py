"""Contract tests for the seams: subclass one in your own tests to show that your part keeps its promises.

Needs ``pytest``; nothing else in the package imports it.
"""
