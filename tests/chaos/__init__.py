"""A server that misbehaves on purpose: it reads the wire by itself and shares no code with deskim.

    python -m tests.chaos '{"seed": 7, "shares": {"reset_after": 0.025, "bad_gateway": 0.05}}'

It prints its port and its schedule, takes one JSON object a line on its input (`{"set": {...}}` or `{"report": true}`),
answers each with one line, and ends with its input.
"""
