"""Live sources: Kafka, NATS JetStream, Redis Streams, Server-Sent Events and watched folders.

One module per system reads messages from a position on. What they share: ``options`` says how messages become
documents, ``payloads`` decodes them, ``mapping`` makes changes of them, and ``reading`` turns a reader into a
connector that resumes at its checkpoint.
"""
