"""Actions: a decided moment or rule becomes a webhook call or an e-mail, once, through a durable queue.

moment or rule --asked.py--> action --Kafka: actions.topic--> deliverer.py: a document and a timer in a store that survives
a worker of each destination (worker.py): quiet hours, consent, caps, rate, circuit breaker --> webhook.py or mail.py
what was sent counts for caps, and is in the decision log
what is given up --> actions.dead_topic, with the reason
"""
