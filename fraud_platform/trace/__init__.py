"""What became of one transaction: where its records lie, what each stage made of them, who decided and why.

`recognize.py` knows a record of the transaction when it sees one, `search.py` finds them all, `way.py` says what
they mean. Nothing of it tells more of a person than the transaction's id.
"""
