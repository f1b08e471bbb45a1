"""SMS: messages for phone numbers, and what an account has for them.

number       a phone number in E.164
parts        into how many SMS a text is cut
attributes   what the account was told, and what a message may say of itself
sending      a message for one number
handing      and how it gets to a dispatcher
settings     reading and changing the account's attributes
opting       who takes no SMS
sandbox      numbers that were shown to be one's own
origination  numbers that messages come from
"""
