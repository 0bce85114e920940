"""Finding passages: vector stores, filters, lexical vectors, fusion and search."""
