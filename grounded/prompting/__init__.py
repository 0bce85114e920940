"""Prompts: metaprompt templates, evidence shown as data, and a token budget that holds."""

from grounded.prompting.budget import DEFAULT_RESERVE, DEFAULT_WINDOW, TokenCounter, window_of
from grounded.prompting.builder import build_prompt
from grounded.prompting.layouts import LayoutName, QuestionPosition
from grounded.prompting.loading import DEFAULT_TEMPLATE, list_templates, load_template
from grounded.prompting.marking import Mode, Spotlit, spotlit
from grounded.prompting.packs import Variable
from grounded.prompting.replies import ParsedAnswer, Quote, answer_so_far, parse_answer, trace
from grounded.prompting.templates import Component, Template

__all__ = [
    "DEFAULT_RESERVE",
    "DEFAULT_TEMPLATE",
    "DEFAULT_WINDOW",
    "Component",
    "LayoutName",
    "Mode",
    "ParsedAnswer",
    "QuestionPosition",
    "Quote",
    "Spotlit",
    "Template",
    "TokenCounter",
    "Variable",
    "answer_so_far",
    "build_prompt",
    "list_templates",
    "load_template",
    "parse_answer",
    "spotlit",
    "trace",
    "window_of",
]
