"""The shared package of Stitchlake: a folder for each step of the flow. A package may import those above it, never those below.

errors, machine, jars, job         what can go wrong; processes and files of this machine; downloaded jars; the frame of a job
config/                            the one reader of configuration
tables/                            the contract of every table; their order
lake/, kafka/, spark/              Delta reads and writes; the broker and its topics; the session and its queries
events/                            Kafka record -> accepted event or quarantined record
identity/, matching/               actors and identifiers -> profiles; likely pairs
lifetime/, drift/, fairness/       what somebody will buy, and what it is worth; whether what comes in is as it was; who is chosen
features/, sessions/                figures at an instant; visits
profiles/                          accepted events -> activity, orders, RFM, activation
models/, recommend/                registry, segments, scores; the recommender
online/                            what a decision needs to know, a key away
rules/, bandits/, experiments/     expressions; policies that learn; who is in which arm and what came of it
decisions/                         what is decided for a visitor, and why
lane/, moments/, actions/          what an event sets off; what becomes due; what leaves
sources/, adoption/, imports/      records of any shape; files nobody described; tables of others
catalog                            every table there is
exports/, audiences/               what other systems hold; named sets of profiles
queries/, training/                the long-running queries, put together; how each model is trained
commands/                          what ./spark-submit.sh calls
demo/                              simulated shop, data sets, report; nothing else imports it
"""
