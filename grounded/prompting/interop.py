"""A prompt in the forms that other libraries send: OpenAI, Azure, Anthropic, LlamaIndex, LangChain.

Nothing is added, cut or reordered, so the token account and the boundary stay what they are; the one exception is
named at ``to_anthropic``. Templates as Prompty files: ``grounded.prompting.prompty``.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from grounded.errors import MissingExtraError
from grounded.prompting.costs import frame
from grounded.prompting.evidence import closing, opening
from grounded.prompting.spotlight import neutralise
from grounded.prompting.templates import Template
from grounded.records import Prompt

CONVERSATION_STARTS = "(The conversation starts here.)"
"""A first message for providers that refuse a conversation which the assistant opens."""

_LANGCHAIN_ROLES = {"system": "system", "user": "human", "assistant": "ai", "tool": "human"}


def to_openai(prompt: Prompt) -> list[dict[str, str]]:
    """``messages`` for OpenAI, Azure OpenAI and every server with the same interface.

    Returns:
        ``{"role": …, "content": …}`` for each message, roles ``system``, ``user`` and ``assistant``.
    """
    return [{"role": message.role, "content": message.content} for message in prompt.messages]


def to_anthropic(prompt: Prompt, *, cache: bool = False) -> dict[str, Any]:
    """``system`` and ``messages`` for Anthropic's Messages API: ``client.messages.create(**to_anthropic(prompt), …)``.

    The interface wants a user's message first. When history begins with the assistant, ``CONVERSATION_STARTS`` is
    put before it, which the token account does not hold (8 tokens under o200k_base).

    Args:
        prompt: The prompt.
        cache: Mark the system message, which is the same in every request, for the provider's cache.
    """
    system = "\n\n".join(message.content for message in prompt.messages if message.role == "system")
    messages = [entry for entry in to_openai(prompt) if entry["role"] != "system"]
    if messages and messages[0]["role"] == "assistant":
        messages.insert(0, {"role": "user", "content": CONVERSATION_STARTS})
    block = {"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}
    return {"system": [block] if cache else system, "messages": messages}


def to_llama_index(prompt: Prompt) -> list[Any]:
    """``ChatMessage`` objects for ``llm.chat(…)`` of LlamaIndex.

    Raises:
        MissingExtraError: LlamaIndex is not installed.
    """
    try:
        from llama_index.core.base.llms.types import ChatMessage, MessageRole
    except ImportError as error:
        raise MissingExtraError("LlamaIndex messages", package="llama-index", extra="llama-index") from error
    return [ChatMessage(role=MessageRole(message.role), content=message.content) for message in prompt.messages]


def to_rich_prompt_template(template: Template, variables: Mapping[str, object] | None = None) -> Any:
    """A ``RichPromptTemplate`` for LlamaIndex's own engines, which fill in ``context_str`` and ``query_str``.

    The context is made harmless and put inside a boundary with a new code at each use. LlamaIndex numbers no sources
    and keeps no token budget: where citations or limits matter, use ``build_prompt`` and ``to_llama_index``.

    Args:
        template: A template that was loaded.
        variables: Its values, fixed from now on.

    Raises:
        MissingExtraError: LlamaIndex is not installed.
        TemplateError: A variable is missing or unfit.
    """
    try:
        from llama_index.core.prompts import RichPromptTemplate
    except ImportError as error:
        raise MissingExtraError("RichPromptTemplate", package="llama-index", extra="llama-index") from error
    values = template.values(variables)

    def user(context_str: str = "", query_str: str = "", **others: object) -> str:
        del others
        nonce = secrets.token_hex(8)
        shown = f"{opening(nonce)}{neutralise(str(context_str), nonce).text}\n{closing(nonce)}"
        return frame(template, values, sources=shown, question=str(query_str))[1][1]

    return RichPromptTemplate(
        '{% chat role="system" %}{{ system }}{% endchat %}\n{% chat role="user" %}{{ user }}{% endchat %}\n',
        template_vars=["context_str", "query_str"],
        function_mappings={"user": user},
        system=template.system(variables),
    )


def to_langchain(prompt: Prompt) -> list[tuple[str, str]]:
    """Messages for ``model.invoke(…)`` of any LangChain chat model, which takes pairs of role and text.

    Needs no package. Do not give them to ``ChatPromptTemplate``, which would read braces in the sources as
    variables; ``langchain_core.messages.convert_to_messages`` makes message objects of them.
    """
    return [(_LANGCHAIN_ROLES[message.role], message.content) for message in prompt.messages]
