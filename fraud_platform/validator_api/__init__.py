"""fraud-validator-api: a web service that says whether a transfer looks fraudulent, and why.

Answers: `POST /validate` one transfer, `POST /validate/batch` up to 1,000, `GET /rules`; `/docs` shows them all.
Guarantee: an answer depends on the request and the version of the rules alone; asking again changes nothing.
Runs as: `python -m fraud_platform.validator_api --host HOST --port PORT`.
"""
