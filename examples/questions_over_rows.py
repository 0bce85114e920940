"""Counts, totals and averages: allowed queries answer what no search can, and every figure is cited with its query.

A question runs a query only when it is one of the query's questions, with an allowed value; nothing else that a caller
writes reaches the database. Replace the address by ``postgresql://reader@host/shop`` or another one.
"""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from grounded import KnowledgeBase, Query

with TemporaryDirectory() as folder:
    shop = sqlite3.connect(Path(folder, "shop.db"))
    shop.execute("CREATE TABLE products (name TEXT, colour TEXT, price REAL)")
    rows = [("Kettle K2", "copper", 59.9), ("Kettle K2", "white", 49.9), ("Mug", "white", 7.0)]
    shop.executemany("INSERT INTO products VALUES (?, ?, ?)", rows)
    shop.commit()
    shop.close()

    address = f"sqlite:///{folder}/shop.db"
    queries = {
        "average price": Query(
            uri=address,
            sql="SELECT round(avg(price), 2) AS average FROM products",
            questions=("What is the average price?", "What do products cost on average?"),
            text="The average price is {{ average }} EUR.",
        ),
        "products by colour": Query(
            uri=address,
            sql="SELECT count(*) AS products, :colour AS colour FROM products WHERE colour = :colour",
            questions=("How many {colour} products are there?",),
            parameters={"colour": "SELECT DISTINCT colour FROM products"},
            text="There are {{ products }} {{ colour }} products.",
        ),
    }
    with KnowledgeBase.open(Path(folder, "kb"), create=True) as kb:
        kb.ingest([{"key": "about", "text": "The shop sells kettles and mugs."}])
        for question in ("What is the average price?", "How many white products do you have?", "How many red mugs?"):
            answer = kb.ask(question, queries=queries)
            print(f"{question}\n  {answer.outcome}: {answer.text}")
            print(*(f"  {note.replace(folder, '…')}" for note in answer.notes), sep="\n")
