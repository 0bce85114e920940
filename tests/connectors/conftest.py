"""Knowledge bases and servers for the tests of connectors."""

from __future__ import annotations

from tests.ingestion.conftest import base as base
from tests.servers import mariadb as mariadb
from tests.servers import postgresql as postgresql
