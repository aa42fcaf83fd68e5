"""Actions: a decided moment or rule becomes a webhook call or an e-mail, once, through a durable queue.

action --Kafka: actions.topic--> deliverer.py: a document and a timer in a store that survives
a worker of each destination (worker.py): quiet hours, consent, rate, circuit breaker --> webhook.py or mail.py
what is given up --> actions.dead_topic, with the reason
"""
