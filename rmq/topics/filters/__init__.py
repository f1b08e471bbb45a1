"""Filters: which subscribers a message is for. Values in, values out; nothing here waits or asks
Redis.

    grammar   text of a policy -> FilterPolicy, or InvalidFilterPolicy
    policy    what a FilterPolicy means: does it match this message?
    verdict   and if not, why not
    index     100,000 policies, one message: who gets it?
    view      the message as policies see it

Source: Amazon SNS message filtering, Filter policy constraints (Amazon SNS Developer Guide).
Where that is silent, docs/design/filters.md says what was decided and where it stands.
"""
