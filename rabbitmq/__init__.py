"""The project's RabbitMQ: its configuration, and a private node that runs with it."""
