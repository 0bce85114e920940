"""Questions about a live stream, asked while it goes on; each answer says until when the stream is known.

The stream comes from an endpoint of Server-Sent Events that this script starts itself. Replace the address by your own,
or by kafka://…, nats://…, redis://… or watch://FOLDER.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryDirectory

from grounded import KnowledgeBase, connector, watch

STOCK = [40, 25, 3]


class Stock(BaseHTTPRequestHandler):
    """Tells how many kettles are in stock, whenever that changes."""

    changed = threading.Condition()
    told = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number, pieces in enumerate(STOCK, start=1):
            with self.changed:
                while self.told < number:
                    self.changed.wait()
            event = {"product": "K2", "text": f"The kettle K2 has {pieces} pieces in stock."}
            self.wfile.write(f"id: {number}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        with self.changed:
            while self.told == len(STOCK):
                self.changed.wait()

    def log_message(self, *arguments: object) -> None:
        pass


def tell() -> None:
    """Let the endpoint send its next event."""
    with Stock.changed:
        Stock.told += 1
        Stock.changed.notify_all()


server = ThreadingHTTPServer(("127.0.0.1", 0), Stock)
threading.Thread(target=server.serve_forever, daemon=True).start()
stream = connector(f"sse+http://127.0.0.1:{server.server_port}/stock", key="{{ product }}", text="{{ text }}")

with TemporaryDirectory() as folder, KnowledgeBase.open(f"{folder}/kb", create=True) as kb, watch(kb, stream) as live:
    for pieces in STOCK:
        started = time.monotonic()
        tell()
        while not any(str(pieces) in passage.text for passage in kb.search("kettles in stock")):
            time.sleep(0.02)
        print(f"An event was searchable after {time.monotonic() - started:.2f} s.")
        answer = kb.ask("How many pieces of the kettle K2 are in stock?")
        print(f"{answer.text}  (known until {answer.freshness.watermark:%H:%M:%S} UTC)")
    print(f"{live.states[0].documents_added} document, replaced {live.states[0].documents_updated} times")

tell()
server.shutdown()
server.server_close()
