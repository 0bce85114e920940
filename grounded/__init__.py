"""Ground any LLM's answers in your data, under responsible-AI metaprompts, and prove each sentence."""
