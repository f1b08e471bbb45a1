"""Mobile: messages to phones, by the push service of their platform.

    job ── endpoint ARN ──> Phone ── its platform ──> Plugin ── one POST ──> FCM, APNs, ADM

A token that the platform does not know any more disables its endpoint, as SNS does: who has
the app registers it again.
"""

from rmq.push.senders.mobile.book import KnownPhones, RedisPhoneBook
from rmq.push.senders.mobile.sender import MobileSender, Phone, PhoneBook

__all__ = ["KnownPhones", "MobileSender", "Phone", "PhoneBook", "RedisPhoneBook"]
