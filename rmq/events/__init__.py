"""Events of other systems, brought to topics and queues.

s3    notifications of object stores: S3's own, MinIO's and those of others who speak S3
"""
