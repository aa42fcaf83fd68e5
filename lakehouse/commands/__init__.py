"""What ./spark-submit.sh calls, one module for each word. Nothing else imports a command.

__main__     the words
launcher     a job started with its jars and options
supervisor   `up` and `down`
plan, whois, consent, identity, rules, experiments, sources, adopt, quarantine, catalogue
reference_pages  the pages of docs/ that `plan --write` generates
preflight    installs what is missing; runs before anything is installed
"""
