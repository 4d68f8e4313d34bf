"""The project's RabbitMQ: its configuration, and private nodes and clusters that run with it."""
