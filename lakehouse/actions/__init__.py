"""Actions: a decided moment or rule becomes a webhook call or an e-mail, once, through a durable queue. Must not import lane, moments.

moment or rule --action_requests.py--> action --Kafka: actions.topic--> deliverer.py: a document and a timer in a store that survives
a worker of each destination (worker.py): quiet hours, consent, caps, rate, circuit breaker --> performers.py: webhook, mail or topic
what became of it (delivery.py) is a document; what was sent counts for caps, and is in the decision log
what is given up --> actions.dead_topic, with the reason
"""
