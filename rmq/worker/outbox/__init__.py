"""The outbox: messages that are sent if, and only if, a database's transaction commits.

row.py         a message in an outbox, whatever the database
sqlalchemy.py  tables, statements and a relay for SQLAlchemy
../django/     the same for Django
"""
