"""Mobile push: platform applications, their endpoints, and messages for one of them.

application   what knows a platform (FCM, APNs, ..), with the credentials to send there
endpoint      one installation of an app on one device: its token
lifecycle     applications: make, change, list, remove
devices       endpoints: the same
pushing       a message for one endpoint; what senders need, and what they report
happenings    what the topics are told that an application names for its events
"""
