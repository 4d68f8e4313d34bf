"""Queues and messages, over RabbitMQ and over a database."""
