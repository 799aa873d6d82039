"""A Service Bus namespace on one machine: queues in SQLite, spoken to over AMQP 1.0."""
