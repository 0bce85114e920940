"""Reports, answers and passages for people: on a terminal, as Markdown, as a page."""
