"""The asynchronous twins of the public functions; those of ``KnowledgeBase`` are its own methods.

``verify_stream`` takes asynchronous pieces as they are, and ``llm`` and ``rewriter`` only make objects.
"""

from __future__ import annotations

from grounded.pipeline.attaching import attach
from grounded.pipeline.backups import backup
from grounded.pipeline.moving import move
from grounded.pipeline.rebuilding import rebuild
from grounded.pipeline.restoring import restore
from grounded.prompting import build_prompt
from grounded.twins import twin
from grounded.verification import cite, verify

aattach = twin(attach)
abackup = twin(backup)
abuild_prompt = twin(build_prompt)
acite = twin(cite)
amove = twin(move)
arebuild = twin(rebuild)
arestore = twin(restore)
averify = twin(verify)
