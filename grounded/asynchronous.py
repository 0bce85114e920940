"""The asynchronous twins of the public functions; those of ``KnowledgeBase`` are its own methods.

``verify_stream`` takes asynchronous pieces as they are, and ``llm`` and ``rewriter`` only make objects.
"""

from __future__ import annotations

from grounded.attaching import attach
from grounded.backups import backup
from grounded.moving import move
from grounded.prompting import build_prompt
from grounded.rebuilding import rebuild
from grounded.restoring import restore
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
