"""Prompts: metaprompt templates, evidence shown as data, and a token budget that holds."""

from grounded.prompting.budget import DEFAULT_RESERVE, DEFAULT_WINDOW, TokenCounter, window_of
from grounded.prompting.builder import build_prompt
from grounded.prompting.layouts import ParsedAnswer, Quote, parse_answer, trace
from grounded.prompting.loading import DEFAULT_TEMPLATE, list_templates, load_template
from grounded.prompting.marking import Spotlit, spotlit
from grounded.prompting.packs import Variable
from grounded.prompting.templates import Component, Template

__all__ = [
    "DEFAULT_RESERVE",
    "DEFAULT_TEMPLATE",
    "DEFAULT_WINDOW",
    "Component",
    "ParsedAnswer",
    "Quote",
    "Spotlit",
    "Template",
    "TokenCounter",
    "Variable",
    "build_prompt",
    "list_templates",
    "load_template",
    "parse_answer",
    "spotlit",
    "trace",
    "window_of",
]
